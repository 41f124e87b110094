package client

import (
	"context"
	"net/http"
	"strconv"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

// SetSecret stores a value for a namespace's builds.
func (c *Client) SetSecret(ctx context.Context, namespace string, in api.SetSecret) (api.Secret, error) {
	return ask[api.Secret](ctx, c, http.MethodPost, in, "namespaces", namespace, "secrets")
}

// Secrets lists what a namespace's builds are given, without values.
func (c *Client) Secrets(ctx context.Context, namespace string) ([]api.Secret, error) {
	return ask[[]api.Secret](ctx, c, http.MethodGet, nil, "namespaces", namespace, "secrets")
}

// DeleteSecret removes a secret.
func (c *Client) DeleteSecret(ctx context.Context, namespace string, id int64) error {
	return c.remove(ctx, "namespaces", namespace, "secrets", strconv.FormatInt(id, 10))
}

// registriesOf is where accounts of a namespace are, or those of the installation for "".
func registriesOf(namespace string, more ...string) []string {
	if namespace == "" {
		return append([]string{"admin", "registries"}, more...)
	}
	return append([]string{"namespaces", namespace, "registries"}, more...)
}

// SetRegistry stores an account at another registry. Without a namespace it is for the builds of all, which is for administrators, as
// are Registries and DeleteRegistry then.
func (c *Client) SetRegistry(ctx context.Context, namespace string, in api.SetRegistry) (api.Registry, error) {
	return ask[api.Registry](ctx, c, http.MethodPost, in, registriesOf(namespace)...)
}

// Registries lists a namespace's accounts at other registries, without passwords.
func (c *Client) Registries(ctx context.Context, namespace string) ([]api.Registry, error) {
	return ask[[]api.Registry](ctx, c, http.MethodGet, nil, registriesOf(namespace)...)
}

// DeleteRegistry removes an account at another registry.
func (c *Client) DeleteRegistry(ctx context.Context, namespace string, id int64) error {
	return c.remove(ctx, registriesOf(namespace, strconv.FormatInt(id, 10))...)
}
