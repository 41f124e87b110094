package web

import (
	"net/http"

	"github.com/fandoghpaas/fandogh/catalog"
)

const accountPath = "/account"

// accountData is what the page of a user's own account shows.
type accountData struct {
	Sessions []catalog.Token
	Session  int64 // the one of this browser
	Tokens   []catalog.Token
	Keys     []catalog.Key
	Secret   string // of a token that was just created; empty: none was
	Days     []int  // that a token may last
	Zones    []string
	Scopes   []catalog.Scope
}

// tokenDays are how long a token may last that is created on the page.
var tokenDays = []int{7, 30, 90, 365}

func (c *call) accountPage() error { return c.showAccount("") }

func (c *call) showAccount(secret string) error {
	ctx, store := c.r.Context(), c.server.config.Store
	data := accountData{Session: c.id.Token.ID, Secret: secret, Days: tokenDays, Zones: commonZones, Scopes: []catalog.Scope{catalog.ScopeRead, catalog.ScopeWrite}}
	tokens, err := store.ListTokens(ctx, c.id.User.ID)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		switch {
		case !t.ExpiresAt.IsZero() && t.ExpiresAt.Before(c.server.now()):
		case isSession(t):
			data.Sessions = append(data.Sessions, t)
		default:
			data.Tokens = append(data.Tokens, t)
		}
	}
	if data.Keys, err = store.ListKeys(ctx, c.id.User.ID); err != nil {
		return err
	}
	return c.show(http.StatusOK, "account", "account.title", data)
}

// createToken asks for the password: a token would else end with the session.
func (c *call) createToken() error {
	ctx := c.r.Context()
	days, err := c.whole("days")
	if err != nil || days < 1 || days > int64(tokenDays[len(tokenDays)-1]) {
		return catalog.FieldErrorf("days", "choose how many days the token is to last")
	}
	id, err := c.server.config.Auth.ByPassword(ctx, c.r.RemoteAddr, c.id.User.Name, c.form.Get("password"))
	if catalog.CodeOf(err) == catalog.Unauthorized {
		c.audit(catalog.LoginFailed, "name", c.id.User.Name)
		return catalog.FieldErrorf("password", "the password is wrong; no token was created")
	}
	if err != nil {
		return err
	}
	now := c.server.now()
	wanted, err := id.NewToken(c.field("name"), catalog.Scope(c.form.Get("scope")), now.AddDate(0, 0, int(days)), now)
	if err != nil {
		return err
	}
	secret, token, err := c.server.config.Accounts.CreateToken(ctx, wanted)
	if err != nil {
		return err
	}
	c.audit("token created", "token", token.ID, "scope", token.Scope)
	c.form = nil // it is done; the next one begins empty
	return c.showAccount(secret)
}

// revokeToken ends a token or a session; the browser's own is a sign-out.
func (c *call) revokeToken() error {
	id, err := c.pathID()
	if err != nil {
		return err
	}
	if id == c.id.Token.ID {
		return c.signOut()
	}
	if err := c.server.config.Store.DeleteToken(c.r.Context(), c.id.User.ID, id); err != nil {
		return err
	}
	c.audit("token revoked", "token", id)
	return c.done(accountPath, "revoked")
}

// endOtherSessions ends those of all other browsers, as after a password became known. Tokens stay.
func (c *call) endOtherSessions() error {
	tokens, err := c.server.config.Store.ListTokens(c.r.Context(), c.id.User.ID)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if !isSession(t) || t.ID == c.id.Token.ID {
			continue
		}
		err := c.server.config.Store.DeleteToken(c.r.Context(), c.id.User.ID, t.ID)
		if err != nil && catalog.CodeOf(err) != catalog.NotFound { // it ended by itself
			return err
		}
		c.audit("token revoked", "token", t.ID)
	}
	return c.done(accountPath, "sessions_ended")
}

func (c *call) addKey() error {
	name, key := c.field("name"), c.form.Get("key")
	if err := c.id.CheckLasting("add keys"); err != nil {
		return err
	}
	added, err := c.server.config.Accounts.AddKey(c.r.Context(), c.id.User.ID, name, key)
	if err != nil {
		return err
	}
	c.audit("key added", "fingerprint", added.Fingerprint)
	return c.done(accountPath+"#keys", "key_added")
}

func (c *call) deleteKey() error {
	id, err := c.pathID()
	if err != nil {
		return err
	}
	if err := c.server.config.Store.DeleteKey(c.r.Context(), c.id.User.ID, id); err != nil {
		return err
	}
	c.audit("key deleted", "key", id)
	return c.done(accountPath+"#keys", "key_deleted")
}

func (c *call) changePassword() error {
	ctx, password := c.r.Context(), c.form.Get("new")
	if password != c.form.Get("again") {
		return catalog.FieldErrorf("again", "the new password was not typed twice in the same way; nothing was changed")
	}
	if err := catalog.CheckPassword(ctx, c.server.config.Auth, c.r.RemoteAddr, c.id.User, c.form.Get("current")); err != nil {
		c.audit("password change refused")
		return err
	}
	if err := c.server.config.Accounts.SetPassword(ctx, c.id.User.ID, password); err != nil {
		return err
	}
	c.audit("password changed")
	return c.done(accountPath, "password")
}

// chooseLook keeps language and time zone in the browser.
func (c *call) chooseLook() error {
	chosen := lang(c.form.Get("language"))
	if !chosen.known() {
		return catalog.FieldErrorf("language", "the languages are en and fa")
	}
	zone, err := zoneNamed(c.form.Get("zone"))
	if err != nil {
		return err
	}
	c.keepChoice(languageCookie, string(chosen))
	c.keepChoice(zoneCookie, zone.String())
	return c.done(accountPath, "look")
}
