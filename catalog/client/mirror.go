package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

// Mirrored lists the images of other registries that are kept for builds, what was used last first. It is for
// administrators, as PruneMirrored is.
func (c *Client) Mirrored(ctx context.Context) ([]api.MirroredImage, error) {
	return ask[[]api.MirroredImage](ctx, c, http.MethodGet, nil, "admin", "mirror")
}

// PruneMirrored removes what is kept of an image, with or without tag or digest, or of all for "", if it was not used
// since a time, unless that is zero.
func (c *Client) PruneMirrored(ctx context.Context, image string, unusedBefore time.Time) (api.Pruned, error) {
	var done api.Pruned
	u, err := c.api("admin", "mirror")
	if err != nil {
		return done, err
	}
	query := url.Values{}
	if image != "" {
		query.Set("image", image)
	}
	if !unusedBefore.IsZero() {
		query.Set("unused_before", unusedBefore.UTC().Format(time.RFC3339))
	}
	u.RawQuery = query.Encode()
	_, err = c.call(ctx, http.MethodDelete, u, nil, &done)
	return done, err
}
