package rest

import (
	"net/http"
	"strconv"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

// createToken is the login, and with a token in hand the way to further tokens.
func (c *call) createToken(in api.CreateToken) (api.NewToken, error) {
	byPassword := in.Username != "" || in.Password != ""
	if err := c.proveForToken(in, byPassword); err != nil {
		return api.NewToken{}, err
	}
	wanted, err := c.id.NewToken(in.Name, catalog.Scope(in.Scope), in.ExpiresAt.Time, time.Now())
	if err != nil {
		return api.NewToken{}, err
	}
	secret, token, err := c.server.config.Accounts.CreateToken(c.r.Context(), wanted)
	if err != nil {
		return api.NewToken{}, err
	}
	c.audit("token created", "token", token.ID, "scope", token.Scope)
	return c.newTokenOf(c.id.User, token, secret)
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
	c.audit(catalog.LoginFailed, "name", in.Username)
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
