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
	if expires.IsZero() && byPassword {
		expires = time.Now().Add(loginTokenLife)
	}
	switch {
	case scope != catalog.ScopeRead && scope != catalog.ScopeWrite:
		return api.NewToken{}, catalog.FieldErrorf("scope", "scope must be read or write")
	case len(name) > maxLabel:
		return api.NewToken{}, catalog.FieldErrorf("name", "a token's name has at most %d bytes", maxLabel)
	case !expires.IsZero() && expires.Before(time.Now()):
		return api.NewToken{}, catalog.FieldErrorf("expires_at", "expires_at must lie in the future")
	case scope == catalog.ScopeWrite:
		if err := c.needsWriteScope(); err != nil {
			return api.NewToken{}, err
		}
	}
	secret, token, err := c.Accounts.CreateToken(c.r.Context(), c.id.User.ID, name, scope, expires)
	if err != nil {
		return api.NewToken{}, err
	}
	c.audit("token created", "token", token.ID, "scope", scope)
	return api.NewToken{Token: tokenOf(token), Secret: secret}, nil
}

// maxLabel bounds the names that users give to keys and tokens, in bytes.
const maxLabel = 200

func (c *call) proveForToken(in api.CreateToken, byPassword bool) error {
	switch {
	case !byPassword && c.idErr != nil && c.r.Header.Get("Authorization") == "":
		return catalog.FieldErrorf("username", "send username and password, or the Authorization header of a user who is logged in")
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
	if c.id, err = c.Auth.ByPassword(c.r.Context(), c.r.RemoteAddr, in.Username, in.Password); err != nil {
		c.audit("login failed", "name", in.Username)
	}
	return err
}

func (c *call) listTokens() ([]api.Token, error) {
	tokens, err := c.Store.ListTokens(c.r.Context(), c.id.User.ID)
	return convertAll(tokens, tokenOf), err
}

func (c *call) deleteToken() error {
	id, err := c.pathID()
	if err != nil {
		return err
	}
	if err := c.Store.DeleteToken(c.r.Context(), c.id.User.ID, id); err != nil {
		return err
	}
	c.audit("token revoked", "token", id)
	return c.deleted("Token Revoked Successfully")
}

// pathID reads the {id} of the path.
func (c *call) pathID() (int64, error) {
	id, err := strconv.ParseInt(c.r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, catalog.FieldErrorf("id", "%q is no number", c.r.PathValue("id"))
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
