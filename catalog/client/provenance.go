package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

// SigningKeys lists the public keys with which the server signed versions, the one in use first.
func (c *Client) SigningKeys(ctx context.Context) ([]api.SigningKey, error) {
	return ask[[]api.SigningKey](ctx, c, http.MethodGet, nil, "signing-keys")
}

// Origin tells what the repository has of a version's tag and commit, unchecked.
func (c *Client) Origin(ctx context.Context, image, version string) (api.Origin, error) {
	return ask[api.Origin](ctx, c, http.MethodGet, nil, "images", image, "versions", version, "origin")
}

// listing is how long a server may take to look at all files of an image.
const listing = 15 * time.Minute

// SBOM returns a document of SPDX 2.3 in JSON with the packages in a version's image. platform is such as "linux/amd64", and may be empty where
// the image has only one. The first time it takes as long as reading the image.
func (c *Client) SBOM(ctx context.Context, image, version, platform string) (json.RawMessage, error) {
	u, err := c.api("images", image, "versions", version, "sbom")
	if err != nil {
		return nil, err
	}
	if platform != "" {
		u.RawQuery = url.Values{"platform": {platform}}.Encode()
	}
	patient := *c
	patient.pace.request = listing
	var text json.RawMessage
	_, err = patient.call(ctx, http.MethodGet, u, nil, &text)
	return text, err
}

// Compare has the server build a version again without caches, hands over each line that the build prints, and returns how what came of it
// differs. It is never tried again by itself; the build stops when ctx ends.
func (c *Client) Compare(ctx context.Context, image, version string, emit func(line string)) (api.Comparison, error) {
	u, err := c.api("images", image, "versions", version, "compare")
	if err != nil {
		return api.Comparison{}, err
	}
	var end api.Comparison
	err = c.stream(ctx, http.MethodPost, u, 0, func(_ int, line string) { emit(line) }, &end)
	return end, err
}
