package client

import (
	"context"
	"net/http"
	"strconv"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

// Errors of all methods: *Error for the server's refusals, *NetworkError for
// requests without an answer.

// CreateToken logs in by name and password, or makes a further token for who
// is logged in. Its secret can't be read again.
func (c *Client) CreateToken(ctx context.Context, in api.CreateToken) (api.NewToken, error) {
	return ask[api.NewToken](ctx, c, http.MethodPost, in, "tokens")
}

// Tokens lists the user's tokens, newest first.
func (c *Client) Tokens(ctx context.Context) ([]api.Token, error) {
	return Collect(pages[api.Token](ctx, c, nil, "tokens"), 0)
}

// DeleteToken revokes a token at once.
func (c *Client) DeleteToken(ctx context.Context, id int64) error {
	return c.remove(ctx, "tokens", strconv.FormatInt(id, 10))
}

// ProgramVersion tells what the server was built from; it asks no login.
func (c *Client) ProgramVersion(ctx context.Context) (api.ProgramVersion, error) {
	return ask[api.ProgramVersion](ctx, c, http.MethodGet, nil, "version")
}

// Account tells who the client's token stands for.
func (c *Client) Account(ctx context.Context) (api.Account, error) {
	return ask[api.Account](ctx, c, http.MethodGet, nil, "accounts")
}

// Keys lists the user's public keys, newest first.
func (c *Client) Keys(ctx context.Context) ([]api.Key, error) {
	return Collect(pages[api.Key](ctx, c, nil, "keys"), 0)
}

// CreateKey adds a public key.
func (c *Client) CreateKey(ctx context.Context, in api.CreateKey) (api.Key, error) {
	return ask[api.Key](ctx, c, http.MethodPost, in, "keys")
}

// DeleteKey removes a public key.
func (c *Client) DeleteKey(ctx context.Context, id int64) error {
	return c.remove(ctx, "keys", strconv.FormatInt(id, 10))
}

// Namespaces lists the namespaces that the user belongs to.
func (c *Client) Namespaces(ctx context.Context) ([]api.Namespace, error) {
	return Collect(pages[api.Namespace](ctx, c, nil, "namespaces"), 0)
}

// CreateNamespace makes a namespace that the user owns.
func (c *Client) CreateNamespace(ctx context.Context, name string) (api.Namespace, error) {
	return ask[api.Namespace](ctx, c, http.MethodPost, api.CreateNamespace{Name: name}, "namespaces")
}

// Members lists who belongs to a namespace.
func (c *Client) Members(ctx context.Context, namespace string) ([]api.Member, error) {
	return Collect(pages[api.Member](ctx, c, nil, "namespaces", namespace, "members"), 0)
}

// SetMember gives a user a role in a namespace: read, write or admin.
func (c *Client) SetMember(ctx context.Context, namespace, user, role string) (api.Member, error) {
	return ask[api.Member](ctx, c, http.MethodPut, api.SetMember{Role: role}, "namespaces", namespace, "members", user)
}

// NamespaceLimits returns what an administrator has set for a namespace.
func (c *Client) NamespaceLimits(ctx context.Context, namespace string) (api.NamespaceLimits, error) {
	return ask[api.NamespaceLimits](ctx, c, http.MethodGet, nil, "namespaces", namespace, "limits")
}

// NamespaceUsage returns what a namespace's images take on disk.
func (c *Client) NamespaceUsage(ctx context.Context, namespace string) (api.NamespaceUsage, error) {
	return ask[api.NamespaceUsage](ctx, c, http.MethodGet, nil, "namespaces", namespace, "usage")
}

// ServerUsage returns what all namespaces and the parts of the data directory take on disk, as an administrator.
func (c *Client) ServerUsage(ctx context.Context) (api.ServerUsage, error) {
	return ask[api.ServerUsage](ctx, c, http.MethodGet, nil, "admin", "usage")
}

// UpdateNamespaceLimits sets limits of a namespace, as an administrator.
func (c *Client) UpdateNamespaceLimits(ctx context.Context, namespace string, l api.UpdateNamespaceLimits) (api.NamespaceLimits, error) {
	return ask[api.NamespaceLimits](ctx, c, http.MethodPatch, l, "admin", "namespaces", namespace, "limits")
}

// DeleteMember takes a user's role in a namespace away.
func (c *Client) DeleteMember(ctx context.Context, namespace, user string) error {
	return c.remove(ctx, "namespaces", namespace, "members", user)
}
