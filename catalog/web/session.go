package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/bounded"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

const (
	// sessionName is what the token of a session is called in lists, before what browser it is of.
	sessionName = "browser session"
	sessionLife = 14 * 24 * time.Hour
	// maxForm is how many bytes a form may have. An armored OpenPGP key is the largest that any has.
	maxForm = 128 << 10

	sessionCookie = "fandogh"
	// formCookie ties forms to a browser that has no session.
	formCookie     = "fandogh-form"
	languageCookie = "fandogh-language"
)

// cookieName has a browser take a cookie from this very host alone, where that is possible: under TLS.
func (s *Server) cookieName(name string) string {
	if s.secure {
		return "__Host-" + name
	}
	return name
}

// setCookie stores a cookie for a time; one that is 0 is the browser's session, below 0 removes it.
func (c *call) setCookie(name, value string, life time.Duration) {
	age := int(life.Seconds())
	http.SetCookie(c.w, &http.Cookie{
		Name: c.server.cookieName(name), Value: value, Path: "/", MaxAge: age, Secure: c.server.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func (c *call) cookie(name string) string {
	cookie, err := c.r.Cookie(c.server.cookieName(name))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// identify reads the session. Errors: Unauthorized.
func (c *call) identify() error {
	secret := c.cookie(sessionCookie)
	if secret == "" {
		return catalog.Errorf(catalog.Unauthorized, "sign in first")
	}
	id, err := c.server.config.Auth.ByToken(c.r.Context(), secret)
	if err == nil {
		c.id, c.secret = id, secret
	}
	return err
}

// formToken is what forms of this session, or of a browser without one, must have. A page of another host can't know it. It
// differs each time, or the size of compressed pages could tell it bit by bit.
func (c *call) formToken() string {
	secret := c.formSecret()
	if secret == "" {
		secret = rand.Text()
		c.setCookie(formCookie, secret, 0)
	}
	return formTokenOf(secret, rand.Text())
}

// formSecret is what forms are tied to; empty for a browser that shows its first page.
func (c *call) formSecret() string {
	if c.secret != "" {
		return c.secret
	}
	return c.cookie(formCookie)
}

func formTokenOf(secret, once string) string { return once + "." + proofOf(secret, "form "+once) }

// proofOf is what only who has a secret can say of a text.
func proofOf(secret, text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// checkForm refuses a form that is not of a page of ours, for this session. Errors: Forbidden, Invalid.
func (c *call) checkForm() error {
	if err := c.server.origins.Check(c.r); err != nil {
		return catalog.Wrap(catalog.Forbidden, err, "this form was sent by a page of another site")
	}
	body, err := bounded.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxForm), maxForm)
	if err == nil {
		c.form, err = url.ParseQuery(string(body))
	}
	if err != nil {
		return catalog.Wrap(catalog.Invalid, err, "this form can't be read")
	}
	secret, token := c.formSecret(), c.form.Get("form")
	once, _, _ := strings.Cut(token, ".")
	if secret == "" || !hmac.Equal([]byte(token), []byte(formTokenOf(secret, once))) {
		return catalog.Errorf(catalog.Forbidden, "this form is of an older session, or your browser keeps no cookies; load the page again")
	}
	return nil
}

// signInData is what the page to sign in shows.
type signInData struct {
	Next, Name string
	Failed     *failure
}

func (c *call) signInPage() error {
	next := localPath(c.r.URL.Query().Get("next"))
	if c.secret != "" {
		return c.goTo(next)
	}
	return c.show(http.StatusOK, "signin", "signin.title", signInData{Next: next})
}

// signIn takes a password, or a token in its place, with the limits on guessing that every login has.
func (c *call) signIn() error {
	data := signInData{Next: localPath(c.form.Get("next")), Name: c.form.Get("username")}
	id, err := c.server.config.Auth.ByPassword(c.r.Context(), c.r.RemoteAddr, data.Name, c.form.Get("password"))
	var secret string
	if err == nil {
		c.id = id
		secret, err = c.startSession()
	}
	switch code := catalog.CodeOf(err); code {
	case "":
		c.setCookie(sessionCookie, secret, sessionLife)
		c.setCookie(formCookie, "", -time.Second)
		return c.goTo(data.Next)
	case catalog.Unauthorized, catalog.RateLimited, catalog.Forbidden:
		c.id = catalog.Identity{}
		if code == catalog.Unauthorized {
			c.audit(catalog.LoginFailed, "name", data.Name)
		}
		requests.SetRetryAfter(c.w.Header(), err)
		data.Failed = &failure{code.HTTPStatus(), string(code), catalog.MessageOf(err)}
		return c.show(code.HTTPStatus(), "signin", "signin.title", data)
	}
	return err
}

// startSession makes the token that the session is. It ends with the token that stood in the password's place, if one did.
func (c *call) startSession() (secret string, err error) {
	parent, expires := c.id.Token, c.server.now().Add(sessionLife)
	if c.id.Scope != catalog.ScopeWrite {
		return "", catalog.Errorf(catalog.Forbidden, "this token has only the read scope; use your password")
	}
	if !parent.ExpiresAt.IsZero() && parent.ExpiresAt.Before(expires) {
		expires = parent.ExpiresAt
	}
	secret, token, err := c.server.config.Accounts.CreateToken(c.r.Context(),
		catalog.NewToken{UserID: c.id.User.ID, Name: sessionOf(c.r.UserAgent()), Scope: catalog.ScopeWrite, ExpiresAt: expires, ParentID: parent.ID})
	if err == nil {
		c.audit("token created", "token", token.ID, "scope", token.Scope)
	}
	return secret, err
}

// browsers and systems are told by what they say of themselves, those first that also say the name of another.
var (
	browsers = [][2]string{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"Chrome/", "Chrome"}, {"CriOS/", "Chrome"}, {"Safari/", "Safari"}}
	systems  = [][2]string{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"}}
)

// sessionOf names a session so that its user tells it from others.
func sessionOf(userAgent string) string {
	named := func(known [][2]string) string {
		for _, k := range known {
			if strings.Contains(userAgent, k[0]) {
				return k[1]
			}
		}
		return ""
	}
	name := sessionName
	if browser := named(browsers); browser != "" {
		name += ", " + browser
	}
	if system := named(systems); system != "" {
		name += ", " + system
	}
	return name
}

// browserOf is what sessionOf found.
func browserOf(t catalog.Token) string {
	return strings.TrimPrefix(strings.TrimPrefix(t.Name, sessionName), ", ")
}

// isSession reports whether a token is a browser's.
func isSession(t catalog.Token) bool {
	return t.Name == sessionName || strings.HasPrefix(t.Name, sessionName+", ")
}

func (c *call) signOut() error {
	err := c.server.config.Store.DeleteToken(c.r.Context(), c.id.User.ID, c.id.Token.ID)
	if err != nil && catalog.CodeOf(err) != catalog.NotFound {
		return err
	}
	c.audit("token revoked", "token", c.id.Token.ID)
	c.setCookie(sessionCookie, "", -time.Second)
	return c.goTo("/signin")
}
