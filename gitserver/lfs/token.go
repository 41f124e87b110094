package lfs

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// tokenLife is how long a token is good for. git-lfs asks for another when it ends, and what was begun with one may end after it.
const tokenLife = 30 * time.Minute

// tokenPrefix tells these from the tokens of users.
const tokenPrefix = "lfs."

// Grant is what a token stands for: one user, one repository, one operation.
type Grant struct {
	UserID      int64     `json:"user"`
	Fingerprint string    `json:"key,omitempty"` // of the SSH key that must still be the user's; empty: a certificate's login
	Repository  string    `json:"repository"`    // catalog.ImageRef.Repository
	Operation   Operation `json:"operation"`
	Until       time.Time `json:"until"`
}

// Access is what git-lfs-authenticate tells a client, as JSON.
type Access struct {
	Href      string            `json:"href"`
	Header    map[string]string `json:"header"`
	ExpiresIn int               `json:"expires_in"` // seconds
	ExpiresAt string            `json:"expires_at"`
}

// Authenticate sends a user of SSH, who may do what the operation takes, to HTTP. Until is when the login itself ends, zero if it
// doesn't.
func (s *Server) Authenticate(user catalog.User, fingerprint string, until time.Time, ref catalog.ImageRef, operation Operation) Access {
	now := s.config.Now()
	if end := now.Add(tokenLife); until.IsZero() || until.After(end) {
		until = end
	}
	until = until.UTC().Truncate(time.Second)
	token := s.seal(Grant{UserID: user.ID, Fingerprint: fingerprint, Repository: ref.Repository(), Operation: operation, Until: until})
	return Access{
		Href:      s.base(ref),
		Header:    map[string]string{"Authorization": "Bearer " + token},
		ExpiresIn: int(until.Sub(now).Seconds()),
		ExpiresAt: until.Format(time.RFC3339),
	}
}

// base is where an image's API is.
func (s *Server) base(ref catalog.ImageRef) string {
	return strings.TrimSuffix(s.config.URL(), "/") + "/" + ref.String() + infix
}

func (s *Server) seal(g Grant) string {
	text, err := json.Marshal(g)
	if err != nil {
		panic(err) // a Grant always has its JSON
	}
	body := base64.RawURLEncoding.EncodeToString(text)
	return tokenPrefix + body + "." + base64.RawURLEncoding.EncodeToString(s.sign(body))
}

func (s *Server) sign(body string) []byte {
	mac := hmac.New(sha256.New, s.config.Secret)
	mac.Write([]byte(body))
	return mac.Sum(nil)
}

var errToken = catalog.Errorf(catalog.Unauthorized, "the Git LFS token is not valid, or has expired; run the command again")

// unseal reads a token that is good at a time. Errors: Unauthorized.
func (s *Server) unseal(token string, at time.Time) (Grant, error) {
	var g Grant
	body, signature, _ := strings.Cut(strings.TrimPrefix(token, tokenPrefix), ".")
	given, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || !hmac.Equal(given, s.sign(body)) {
		return g, errToken
	}
	text, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil || json.Unmarshal(text, &g) != nil || !at.Before(g.Until) {
		return Grant{}, errToken
	}
	return g, nil
}

// identify returns whom a grant stands for, who must be able to log in as they did. Errors: Unauthorized.
func (s *Server) identify(ctx context.Context, g Grant) (catalog.Identity, error) {
	var user catalog.User
	var err error
	if g.Fingerprint != "" {
		user, err = s.config.Store.UserByKey(ctx, g.Fingerprint)
	} else {
		user, err = s.config.Store.UserByID(ctx, g.UserID)
	}
	if catalog.CodeOf(err) == catalog.NotFound || err == nil && (user.ID != g.UserID || user.Disabled()) {
		return catalog.Identity{}, errToken
	}
	scope := catalog.ScopeRead
	if g.Operation == Upload {
		scope = catalog.ScopeWrite
	}
	return catalog.Identity{User: user, Scope: scope}, err
}
