package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

// What follows is for administrators.

// Users lists all users.
func (c *Client) Users(ctx context.Context) ([]api.User, error) {
	return ask[[]api.User](ctx, c, http.MethodGet, nil, "admin", "users")
}

// User returns a user with the namespaces that they belong to.
func (c *Client) User(ctx context.Context, name string) (api.UserDetail, error) {
	return ask[api.UserDetail](ctx, c, http.MethodGet, nil, "admin", "users", name)
}

// CreateUser adds a user and the namespace of the same name.
func (c *Client) CreateUser(ctx context.Context, in api.CreateUser) (api.User, error) {
	return ask[api.User](ctx, c, http.MethodPost, in, "admin", "users")
}

// UpdateUser disables, enables, promotes or demotes a user, or sets the password.
func (c *Client) UpdateUser(ctx context.Context, name string, in api.UpdateUser) (api.User, error) {
	return ask[api.User](ctx, c, http.MethodPatch, in, "admin", "users", name)
}

// DeleteUser deletes a user and the namespace of the same name, with its images where that is asked for.
func (c *Client) DeleteUser(ctx context.Context, name string, images bool) error {
	return c.removeWith(ctx, images, "admin", "users", name)
}

// TokensOf lists a user's tokens.
func (c *Client) TokensOf(ctx context.Context, user string) ([]api.Token, error) {
	return ask[[]api.Token](ctx, c, http.MethodGet, nil, "admin", "users", user, "tokens")
}

// CreateTokenOf makes a token of a user, whose secret can't be read again.
func (c *Client) CreateTokenOf(ctx context.Context, user string, in api.CreateToken) (api.NewToken, error) {
	return ask[api.NewToken](ctx, c, http.MethodPost, in, "admin", "users", user, "tokens")
}

// DeleteTokenOf revokes a token of a user at once.
func (c *Client) DeleteTokenOf(ctx context.Context, user string, id int64) error {
	return c.remove(ctx, "admin", "users", user, "tokens", strconv.FormatInt(id, 10))
}

// KeysOf lists a user's public keys.
func (c *Client) KeysOf(ctx context.Context, user string) ([]api.Key, error) {
	return ask[[]api.Key](ctx, c, http.MethodGet, nil, "admin", "users", user, "keys")
}

// CreateKeyOf adds a public key of a user.
func (c *Client) CreateKeyOf(ctx context.Context, user string, in api.CreateKey) (api.Key, error) {
	return ask[api.Key](ctx, c, http.MethodPost, in, "admin", "users", user, "keys")
}

// DeleteKeyOf removes a public key of a user.
func (c *Client) DeleteKeyOf(ctx context.Context, user string, id int64) error {
	return c.remove(ctx, "admin", "users", user, "keys", strconv.FormatInt(id, 10))
}

// AllNamespaces lists all namespaces.
func (c *Client) AllNamespaces(ctx context.Context) ([]api.NamespaceSummary, error) {
	return ask[[]api.NamespaceSummary](ctx, c, http.MethodGet, nil, "admin", "namespaces")
}

// DeleteNamespace deletes a shared namespace, with its images where that is asked for.
func (c *Client) DeleteNamespace(ctx context.Context, name string, images bool) error {
	return c.removeWith(ctx, images, "admin", "namespaces", name)
}

// AuditFilter narrows the audit log; what is zero does not.
type AuditFilter struct {
	User, Via, Image string
	Since            time.Time
}

// Audit lists what users and administrators changed, newest first.
func (c *Client) Audit(ctx context.Context, f AuditFilter) iter.Seq2[api.AuditLine, error] {
	query := url.Values{}
	for name, value := range map[string]string{"user": f.User, "via": f.Via, "image": f.Image} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if !f.Since.IsZero() {
		query.Set("since", f.Since.UTC().Format(time.RFC3339))
	}
	return pages[api.AuditLine](ctx, c, query, "audit")
}

// removeWith deletes what the path names, and the images in it where that is asked for.
func (c *Client) removeWith(ctx context.Context, images bool, parts ...string) error {
	u, err := c.api(parts...)
	if err != nil {
		return err
	}
	if images {
		u.RawQuery = url.Values{"images": {"true"}}.Encode()
	}
	_, err = c.call(ctx, http.MethodDelete, u, nil, nil)
	return err
}
