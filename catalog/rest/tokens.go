package rest

import (
	"net/http"
	"strconv"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

const (
	loginTokenName = "login"
	// loginTokenLife is how long a token lasts that was made with a password and
	// without an expiry of its own.
	loginTokenLife = 90 * 24 * time.Hour
)

// createToken is the login, and with a token in hand the way to further tokens.
func (c *call) createToken(in api.CreateToken) (api.NewToken, error) {
	byPassword := in.Username != "" || in.Password != ""
	if err := c.proveForToken(in, byPassword); err != nil {
		return api.NewToken{}, err
	}
	name, scope, expires := in.Name, catalog.Scope(in.Scope), in.ExpiresAt.Time
	if name == "" {
		name = loginTokenName
	}
	if scope == "" {
		scope = c.id.Scope
	}
	parent := c.id.Token // also where it stood in the password's place
	switch ends := parent.ExpiresAt; {
	case parent.ID == 0 && expires.IsZero():
		expires = time.Now().Add(loginTokenLife)
	case parent.ID != 0:
		if err := c.needsWriteScope(); err != nil {
			return api.NewToken{}, err
		}
		if !ends.IsZero() && (expires.IsZero() || expires.After(ends)) {
			expires = ends
		}
	}
	wanted := catalog.NewToken{UserID: c.id.User.ID, Name: name, Scope: scope, ExpiresAt: expires, ParentID: parent.ID}
	if err := checkToken(wanted); err != nil {
		return api.NewToken{}, err
	}
	if scope == catalog.ScopeWrite {
		if err := c.needsWriteScope(); err != nil {
			return api.NewToken{}, err
		}
	}
	secret, token, err := c.server.config.Accounts.CreateToken(c.r.Context(), wanted)
	if err != nil {
		return api.NewToken{}, err
	}
	c.audit("token created", "token", token.ID, "scope", scope)
	return c.newTokenOf(c.id.User, token, secret)
}

// checkToken refuses a token that can't be. Errors: Invalid.
func checkToken(n catalog.NewToken) error {
	switch {
	case n.Scope != catalog.ScopeRead && n.Scope != catalog.ScopeWrite:
		return catalog.FieldErrorf("scope", "scope must be read or write")
	case len(n.Name) > maxLabel:
		return catalog.FieldErrorf("name", "a token's name must be at most %d bytes long", maxLabel)
	case !n.ExpiresAt.IsZero() && n.ExpiresAt.Before(time.Now()):
		return catalog.FieldErrorf("expires_at", "expires_at must be in the future")
	}
	return nil
}

// newTokenOf is a user's token with its secret.
func (c *call) newTokenOf(user catalog.User, token catalog.Token, secret string) (api.NewToken, error) {
	namespaces, err := catalog.AllNamespaces(c.r.Context(), c.server.config.Store, user.ID)
	if err != nil {
		return api.NewToken{}, err
	}
	out := api.NewToken{Token: tokenOf(token), Secret: secret, Username: user.Name, Namespaces: []string{user.Name}}
	for _, n := range namespaces {
		if n.Name != user.Name {
			out.Namespaces = append(out.Namespaces, n.Name)
		}
	}
	return out, nil
}

// maxLabel bounds the names that users give to keys and tokens, in bytes.
const maxLabel = 200

func (c *call) proveForToken(in api.CreateToken, byPassword bool) error {
	switch {
	case !byPassword && c.idErr != nil && c.r.Header.Get("Authorization") == "":
		return catalog.FieldErrorf("username", "send a username and password, or an Authorization header with a valid token")
	case !byPassword:
		return c.idErr
	}
	if in.Username == "" {
		return catalog.FieldErrorf("username", "username is missing")
	}
	if in.Password == "" {
		return catalog.FieldErrorf("password", "password is missing")
	}
	var err error
	c.id, err = c.server.config.Auth.ByPassword(c.r.Context(), c.r.RemoteAddr, in.Username, in.Password)
	if catalog.CodeOf(err) != catalog.Unauthorized {
		return err
	}
	c.audit("login failed", "name", in.Username)
	if !knowsErrors(c.r) { // the contract knows no 401 here
		return catalog.FieldErrorf("password", "%s", catalog.MessageOf(err))
	}
	return err
}

func (c *call) listTokens() ([]api.Token, error) {
	tokens, err := c.server.config.Store.ListTokens(c.r.Context(), c.id.User.ID)
	return convertAll(tokens, tokenOf), err
}

func (c *call) deleteToken() error {
	id, err := c.pathID()
	if err != nil {
		return err
	}
	if err := c.server.config.Store.DeleteToken(c.r.Context(), c.id.User.ID, id); err != nil {
		return err
	}
	c.audit("token revoked", "token", id)
	return c.deleted("Token Revoked Successfully")
}

// pathID reads the {id} of the path.
func (c *call) pathID() (int64, error) {
	id, err := strconv.ParseInt(c.r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, catalog.FieldErrorf("id", "%q is not a number", c.r.PathValue("id"))
	}
	return id, nil
}

// deleted answers as the clients in use expect: status 200 with a body that
// says 204, or the 204 itself if the client prefers.
func (c *call) deleted(text string) error {
	if c.r.Header.Get("Prefer") == "return=minimal" {
		c.w.Header().Set("Preference-Applied", "return=minimal")
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	c.send(api.NewMessage(http.StatusNoContent, text))
	return nil
}

func tokenOf(t catalog.Token) api.Token {
	return api.Token{ID: t.ID, Name: t.Name, Scope: string(t.Scope), CreatedAt: api.Time{Time: t.CreatedAt}, ExpiresAt: api.Time{Time: t.ExpiresAt}}
}
