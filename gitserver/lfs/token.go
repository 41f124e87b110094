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

// Proof is what a user logged in over SSH with, which a token is worth no more than. Keys go by their fingerprints.
type Proof struct {
	Key       string    `json:"key,omitempty"`       // the user's own; empty: a certificate
	Authority string    `json:"authority,omitempty"` // that signed the certificate
	Until     time.Time `json:"until"`               // when the certificate ends; zero: it doesn't
}

// Grant is what a token stands for: one user, one repository, one operation, until the end of the proof.
type Grant struct {
	Proof
	UserID     int64     `json:"user"`
	Repository string    `json:"repository"` // catalog.ImageRef.Repository
	Operation  Operation `json:"operation"`
}

// Access is what git-lfs-authenticate tells a client, as JSON.
type Access struct {
	Href      string            `json:"href"`
	Header    map[string]string `json:"header"`
	ExpiresIn int               `json:"expires_in"` // seconds
	ExpiresAt string            `json:"expires_at"`
}

// Authenticate sends a user of SSH, who may do what the operation takes, to HTTP.
func (s *Server) Authenticate(user catalog.User, proof Proof, ref catalog.ImageRef, operation Operation) Access {
	now := s.config.Now()
	if end := now.Add(tokenLife); proof.Until.IsZero() || proof.Until.After(end) {
		proof.Until = end
	}
	proof.Until = proof.Until.UTC().Truncate(time.Second)
	token := s.seal(Grant{Proof: proof, UserID: user.ID, Repository: ref.Repository(), Operation: operation})
	return Access{
		Href:      s.base(ref),
		Header:    map[string]string{"Authorization": "Bearer " + token},
		ExpiresIn: int(proof.Until.Sub(now).Seconds()),
		ExpiresAt: proof.Until.Format(time.RFC3339),
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
	if g.Key != "" {
		user, err = s.config.Store.UserByKey(ctx, g.Key)
	} else {
		var trusted bool
		if trusted, err = s.config.Trusts(g.Authority); err == nil && !trusted {
			return catalog.Identity{}, errToken
		}
		if err == nil {
			user, err = s.config.Store.UserByID(ctx, g.UserID)
		}
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
