package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

// retentionOf is the path of an image's rules, or of a namespace's for an empty image.
func retentionOf(namespace, image string, more ...string) []string {
	if image == "" {
		return append([]string{"namespaces", namespace, "retention"}, more...)
	}
	return append([]string{"images", image, "retention"}, more...)
}

// RetentionRules returns the rules in force for an image, or for the images of a namespace when image is empty.
func (c *Client) RetentionRules(ctx context.Context, namespace, image string) ([]api.RetentionRule, error) {
	return ask[[]api.RetentionRule](ctx, c, http.MethodGet, nil, retentionOf(namespace, image)...)
}

// SetRetentionRule sets an image's or a namespace's own rule for a kind of versions, and returns those in force then.
func (c *Client) SetRetentionRule(ctx context.Context, namespace, image, kind string, in api.SetRetentionRule) ([]api.RetentionRule, error) {
	return ask[[]api.RetentionRule](ctx, c, http.MethodPut, in, retentionOf(namespace, image, kind)...)
}

// DeleteRetentionRule removes an image's or a namespace's own rule.
func (c *Client) DeleteRetentionRule(ctx context.Context, namespace, image, kind string) error {
	return c.remove(ctx, retentionOf(namespace, image, kind)...)
}

// PreviewRetention says what would become of each version of an image now, newest first. With a rule, it stands in place of the one in
// force for its kind.
func (c *Client) PreviewRetention(ctx context.Context, image, kind string, rule *api.SetRetentionRule) ([]api.RetainedVersion, error) {
	u, err := c.api("images", image, "retention", "preview")
	if err != nil {
		return nil, err
	}
	if rule != nil {
		u.RawQuery = url.Values{
			"kind": {kind}, "keep_last": {strconv.Itoa(rule.KeepLast)}, "keep_days": {strconv.Itoa(rule.KeepDays)}, "keep": {rule.Keep},
		}.Encode()
	}
	var out []api.RetainedVersion
	_, err = c.call(ctx, http.MethodGet, u, nil, &out)
	return out, err
}

// DeletedVersions lists the built versions of an image that were deleted, whose names no other image can have.
func (c *Client) DeletedVersions(ctx context.Context, image string) ([]api.DeletedVersion, error) {
	return ask[[]api.DeletedVersion](ctx, c, http.MethodGet, nil, "images", image, "deleted-versions")
}

// FreeVersion frees the name of a deleted version. It is for administrators.
func (c *Client) FreeVersion(ctx context.Context, namespace, image, version string) error {
	return c.remove(ctx, "admin", "namespaces", namespace, "images", image, "deleted-versions", version)
}

// FormerImages lists the names of a namespace that images had before they were transferred, which no other image can have.
func (c *Client) FormerImages(ctx context.Context, namespace string) ([]api.TransferredImage, error) {
	return ask[[]api.TransferredImage](ctx, c, http.MethodGet, nil, "namespaces", namespace, "former-images")
}

// FreeImage frees the name of an image that was transferred. It is for administrators.
func (c *Client) FreeImage(ctx context.Context, namespace, image string) error {
	return c.remove(ctx, "admin", "namespaces", namespace, "former-images", image)
}
