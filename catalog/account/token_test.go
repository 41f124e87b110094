package account_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

func TestTokens(t *testing.T) {
	s, store, c, ann := start(t)
	bob, err := s.CreateUser(t.Context(), "bob", password, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, scope := range []catalog.Scope{catalog.ScopeRead, catalog.ScopeWrite} {
		secret, token, err := s.CreateToken(t.Context(), catalog.NewToken{UserID: ann.ID, Name: " ci ", Scope: scope, ExpiresAt: c.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^fdg_[A-Za-z0-9_-]{43}$`).MatchString(secret) {
			t.Errorf("secret %q", secret)
		}
		if token.Name != "ci" || token.Scope != scope || token.UserID != ann.ID || !token.ExpiresAt.Equal(c.Now().Add(time.Hour)) {
			t.Errorf("got %+v", token)
		}
		want := catalog.Identity{User: ann, Scope: scope, Token: token}
		if id, err := s.ByToken(t.Context(), secret); err != nil || id != want {
			t.Errorf("by token: got %+v, %v", id, err)
		}
		for _, name := range []string{"ann", "ANN"} {
			if id, err := s.ByPassword(t.Context(), "", name, secret); err != nil || id != want {
				t.Errorf("in place of %s's password: got %+v, %v", name, id, err)
			}
		}
		for what, try := range map[string][2]string{
			"another user": {bob.Name, secret}, "no user": {"", secret}, "unknown user": {"carol", secret},
			"cut token": {"ann", secret[:len(secret)-1]}, "prefix alone": {"ann", "fdg_"},
		} {
			id, err := s.ByPassword(t.Context(), "", try[0], try[1])
			wantCode(t, what, err, catalog.Unauthorized)
			if id != (catalog.Identity{}) {
				t.Errorf("%s: got identity %+v", what, id)
			}
		}
		if err := store.DeleteToken(t.Context(), ann.ID, token.ID); err != nil {
			t.Fatal(err)
		}
		_, err = s.ByToken(t.Context(), secret)
		wantCode(t, "revoked", err, catalog.Unauthorized)
	}
	for _, secret := range []string{"", "fdg_", password, "fdg_" + strings.Repeat("A", 43)} {
		_, err := s.ByToken(t.Context(), secret)
		wantCode(t, secret, err, catalog.Unauthorized)
	}
}

func TestTokenExpires(t *testing.T) {
	s, _, c, ann := start(t)
	secret, _, err := s.CreateToken(t.Context(), catalog.NewToken{UserID: ann.ID, Name: "ci", Scope: catalog.ScopeRead, ExpiresAt: c.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	c.Add(time.Hour - time.Second)
	_, err = s.ByToken(t.Context(), secret)
	wantCode(t, "before", err, "")
	c.Add(time.Second)
	_, err = s.ByToken(t.Context(), secret)
	wantCode(t, "after", err, catalog.Unauthorized)
}

func TestCreateTokenErrors(t *testing.T) {
	s, _, c, ann := start(t)
	for _, x := range []struct {
		what, name string
		user       int64
		scope      catalog.Scope
		expires    time.Time
		code       catalog.Code
	}{
		{"no name", " ", ann.ID, catalog.ScopeRead, time.Time{}, catalog.Invalid},
		{"long name", strings.Repeat("x", 101), ann.ID, catalog.ScopeRead, time.Time{}, catalog.Invalid},
		{"no scope", "ci", ann.ID, "", time.Time{}, catalog.Invalid},
		{"unknown scope", "ci", ann.ID, "admin", time.Time{}, catalog.Invalid},
		{"past", "ci", ann.ID, catalog.ScopeRead, c.Now(), catalog.Invalid},
		{"unknown user", "ci", 999, catalog.ScopeRead, time.Time{}, catalog.NotFound},
	} {
		secret, _, err := s.CreateToken(t.Context(), catalog.NewToken{UserID: x.user, Name: x.name, Scope: x.scope, ExpiresAt: x.expires})
		wantCode(t, x.what, err, x.code)
		if secret != "" {
			t.Errorf("%s: got a secret", x.what)
		}
	}
}
