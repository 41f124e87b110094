package client

import (
	"context"
	"net/http"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

// ConnectGitHub connects an image to a repository, or changes the connection.
func (c *Client) ConnectGitHub(ctx context.Context, image string, in api.ConnectGitHub) (api.GitHub, error) {
	return ask[api.GitHub](ctx, c, http.MethodPut, in, "images", image, "github")
}

// GitHub tells of an image's connection.
func (c *Client) GitHub(ctx context.Context, image string) (api.GitHub, error) {
	return ask[api.GitHub](ctx, c, http.MethodGet, nil, "images", image, "github")
}

// SyncGitHub has the repository's missing tags built and returns the server's sentence.
func (c *Client) SyncGitHub(ctx context.Context, image string) (string, error) {
	out, err := ask[api.Message](ctx, c, http.MethodPost, nil, "images", image, "github", "sync")
	return out.Message, err
}

// DisconnectGitHub ends an image's connection.
func (c *Client) DisconnectGitHub(ctx context.Context, image string) error {
	return c.remove(ctx, "images", image, "github")
}
