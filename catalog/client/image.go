package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

// In returns the same client for another namespace.
func (c *Client) In(namespace string) *Client {
	other := *c
	other.namespace = namespace
	return &other
}

// Images lists the namespace's images, newest first.
func (c *Client) Images(ctx context.Context) iter.Seq2[api.Image, error] {
	return pages[api.Image](ctx, c, nil, "images")
}

// CreateImage makes an image without versions and returns the server's sentence.
func (c *Client) CreateImage(ctx context.Context, name string) (string, error) {
	out, err := ask[api.Message](ctx, c, http.MethodPost, api.CreateImage{Name: name}, "images")
	return out.Message, err
}

// DeleteImage deletes an image with all its versions.
func (c *Client) DeleteImage(ctx context.Context, image string) error {
	return c.remove(ctx, "images", image)
}

// TransferImage gives an image, and all that are built from its repository, to another namespace, and tells which went.
func (c *Client) TransferImage(ctx context.Context, image, namespace string) ([]api.TransferredImage, error) {
	return ask[[]api.TransferredImage](ctx, c, http.MethodPost, api.TransferImage{Namespace: namespace}, "images", image, "transfer")
}

// UpdateImage changes an image.
func (c *Client) UpdateImage(ctx context.Context, image string, in api.UpdateImage) (api.Image, error) {
	return ask[api.Image](ctx, c, http.MethodPatch, in, "images", image)
}

// DefaultBranch tells what a clone of an image's repository checks out.
func (c *Client) DefaultBranch(ctx context.Context, image string) (api.DefaultBranch, error) {
	return ask[api.DefaultBranch](ctx, c, http.MethodGet, nil, "images", image, "default-branch")
}

// SetDefaultBranch chooses it, whether there is such a branch or not.
func (c *Client) SetDefaultBranch(ctx context.Context, image, branch string) (api.DefaultBranch, error) {
	return ask[api.DefaultBranch](ctx, c, http.MethodPut, api.SetDefaultBranch{Branch: branch}, "images", image, "default-branch")
}

// Versions lists an image's versions, newest first, only those in the given
// states if there are any.
func (c *Client) Versions(ctx context.Context, image string, states ...string) iter.Seq2[api.Version, error] {
	return pages[api.Version](ctx, c, url.Values{"state": states}, "images", image, "versions")
}

// Version tells all that is known of a version.
func (c *Client) Version(ctx context.Context, image, version string) (api.VersionDetail, error) {
	return ask[api.VersionDetail](ctx, c, http.MethodGet, nil, "images", image, "versions", version)
}

// History lists the instructions that made a version's image, newest first.
func (c *Client) History(ctx context.Context, image, version string) ([]api.HistoryEntry, error) {
	return Collect(pages[api.HistoryEntry](ctx, c, nil, "images", image, "versions", version, "history"), 0)
}

// DeleteVersion deletes a version with its builds, logs and tag.
func (c *Client) DeleteVersion(ctx context.Context, image, version string) error {
	return c.remove(ctx, "images", image, "versions", version)
}

// Cancel stops a version's newest build and returns the server's sentence.
func (c *Client) Cancel(ctx context.Context, image, version string) (string, error) {
	out, err := ask[api.Message](ctx, c, http.MethodPost, nil, "images", image, "versions", version, "cancel")
	return out.Message, err
}

// Rebuild queues a failed version's commit for another build, with the options of the last but for what these change.
func (c *Client) Rebuild(ctx context.Context, image, version string, options ...string) (api.BuildDetail, error) {
	return ask[api.BuildDetail](ctx, c, http.MethodPost, api.RebuildVersion{Options: options}, "images", image, "versions", version, "rebuild")
}
