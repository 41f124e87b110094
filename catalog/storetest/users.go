package storetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

func userName(u catalog.User) string { return u.Name }

func testCreateUser(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	u := must(s.CreateUser(ctx, catalog.NewUser{Name: "ann", Admin: true}))(t)
	if u.ID == 0 || u.Name != "ann" || !u.Admin {
		t.Errorf("got %+v", u)
	}
	wantRecent(t, "created", u.CreatedAt)
	wantEqual(t, "role in the own namespace", must(s.Role(ctx, u.ID, "ann"))(t), catalog.RoleAdmin)

	for name, code := range map[string]catalog.Code{"": catalog.Invalid, "../x": catalog.Invalid, "Bob": catalog.Invalid, "ann": catalog.Conflict} {
		_, err := s.CreateUser(ctx, catalog.NewUser{Name: name})
		wantCode(t, err, code)
	}

	must(s.CreateNamespace(ctx, "team", u.ID))(t)
	_, err := s.CreateUser(ctx, catalog.NewUser{Name: "team"})
	wantCode(t, err, catalog.Conflict)
	_, err = s.User(ctx, "team")
	wantCode(t, err, catalog.NotFound) // the half-made user went with the failure
}

func testFindUsers(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	bob, ann := newUser(t, s, "bob"), newUser(t, s, "ann")
	wantEqual(t, "by name", must(s.User(ctx, "bob"))(t), bob)
	wantEqual(t, "by name in capitals", must(s.User(ctx, "BOB"))(t), bob)
	wantEqual(t, "by ID", must(s.UserByID(ctx, ann.ID))(t), ann)
	wantEqual(t, "list", names(must(catalog.AllUsers(ctx, s))(t), userName), "[ann bob]")
	_, err := s.User(ctx, "carol")
	wantCode(t, err, catalog.NotFound)
	_, err = s.UserByID(ctx, 999)
	wantCode(t, err, catalog.NotFound)
}

func testPasswordHash(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	u := must(s.CreateUser(ctx, catalog.NewUser{Name: "ann", PasswordHash: "one"}))(t)
	got, hash, err := s.PasswordHash(ctx, "ann")
	noError(t, err)
	wantEqual(t, "user", got, u)
	wantEqual(t, "hash", hash, "one")

	noError(t, s.SetPasswordHash(ctx, u.ID, "two"))
	_, hash, err = s.PasswordHash(ctx, "ann")
	noError(t, err)
	wantEqual(t, "replaced hash", hash, "two")

	_, _, err = s.PasswordHash(ctx, "bob")
	wantCode(t, err, catalog.NotFound)
	wantCode(t, s.SetPasswordHash(ctx, 999, "x"), catalog.NotFound)
}

func testKeys(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	ann, bob := newUser(t, s, "ann"), newUser(t, s, "bob")
	first := must(s.CreateKey(ctx, catalog.NewKey{UserID: ann.ID, Name: "laptop", Fingerprint: "SHA256:one", PublicKey: "ssh-ed25519 AAA"}))(t)
	wantRecent(t, "created", first.CreatedAt)
	want := catalog.Key{ID: first.ID, UserID: ann.ID, Kind: catalog.KeySSH, Name: "laptop", Fingerprint: "SHA256:one", PublicKey: "ssh-ed25519 AAA", CreatedAt: first.CreatedAt}
	wantEqual(t, "key", first, want)
	second := must(s.CreateKey(ctx, catalog.NewKey{UserID: ann.ID, Name: "laptop", Fingerprint: "SHA256:two"}))(t)

	for _, owner := range []catalog.User{ann, bob} {
		_, err := s.CreateKey(ctx, catalog.NewKey{UserID: owner.ID, Fingerprint: "SHA256:one"})
		wantCode(t, err, catalog.Conflict)
	}
	_, err := s.CreateKey(ctx, catalog.NewKey{UserID: 999, Fingerprint: "SHA256:three"})
	wantCode(t, err, catalog.NotFound)

	wantEqual(t, "owner", must(s.UserByKey(ctx, "SHA256:one"))(t), ann)
	keys := must(s.ListKeys(ctx, ann.ID))(t)
	if len(keys) != 2 || keys[0] != second || keys[1] != first {
		t.Errorf("list, newest first: got %+v", keys)
	}
	wantEqual(t, "keys of another", len(must(s.ListKeys(ctx, bob.ID))(t)), 0)

	wantCode(t, s.DeleteKey(ctx, bob.ID, first.ID), catalog.NotFound)
	noError(t, s.DeleteKey(ctx, ann.ID, first.ID))
	wantCode(t, s.DeleteKey(ctx, ann.ID, first.ID), catalog.NotFound)
	_, err = s.UserByKey(ctx, "SHA256:one")
	wantCode(t, err, catalog.NotFound)
	must(s.CreateKey(ctx, catalog.NewKey{UserID: bob.ID, Fingerprint: "SHA256:one"}))(t)
	wantEqual(t, "new owner", must(s.UserByKey(ctx, "SHA256:one"))(t), bob)
}

// tokenHash returns a hash of the right length.
func tokenHash(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func testTokens(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	ann, bob := newUser(t, s, "ann"), newUser(t, s, "bob")
	first := must(s.CreateToken(ctx, catalog.NewToken{UserID: ann.ID, Name: "ci", Hash: tokenHash(1), Scope: catalog.ScopeRead}))(t)
	wantEqual(t, "token", first, catalog.Token{ID: first.ID, UserID: ann.ID, Name: "ci", Scope: catalog.ScopeRead, CreatedAt: first.CreatedAt})
	wantRecent(t, "created", first.CreatedAt)
	second := must(s.CreateToken(ctx, catalog.NewToken{UserID: ann.ID, Name: "ci", Hash: tokenHash(2), Scope: catalog.ScopeWrite}))(t)
	_, err := s.CreateToken(ctx, catalog.NewToken{UserID: bob.ID, Hash: tokenHash(1), Scope: catalog.ScopeRead})
	wantCode(t, err, catalog.Conflict)
	_, err = s.CreateToken(ctx, catalog.NewToken{UserID: 999, Hash: tokenHash(3), Scope: catalog.ScopeRead})
	wantCode(t, err, catalog.NotFound)

	token, user, err := s.TokenByHash(ctx, tokenHash(1), base)
	noError(t, err)
	wantEqual(t, "found token", token, first)
	wantEqual(t, "its user", user, ann)
	_, _, err = s.TokenByHash(ctx, tokenHash(9), base)
	wantCode(t, err, catalog.NotFound)

	tokens := must(s.ListTokens(ctx, ann.ID))(t)
	if len(tokens) != 2 || tokens[0] != second || tokens[1] != first {
		t.Errorf("list, newest first: got %+v", tokens)
	}
	wantCode(t, s.DeleteToken(ctx, bob.ID, first.ID), catalog.NotFound)
	noError(t, s.DeleteToken(ctx, ann.ID, first.ID))
	wantCode(t, s.DeleteToken(ctx, ann.ID, first.ID), catalog.NotFound)
	_, _, err = s.TokenByHash(ctx, tokenHash(1), base)
	wantCode(t, err, catalog.NotFound)

	bobs := must(s.CreateToken(ctx, catalog.NewToken{UserID: bob.ID, Hash: tokenHash(4), Scope: catalog.ScopeRead}))(t)
	noError(t, s.DeleteTokens(ctx, ann.ID))
	noError(t, s.DeleteTokens(ctx, ann.ID))
	wantEqual(t, "tokens", len(must(s.ListTokens(ctx, ann.ID))(t)), 0)
	wantEqual(t, "another's token", must(s.ListTokens(ctx, bob.ID))(t)[0], bobs)
}

func testTokenExpiry(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	ann := newUser(t, s, "ann")
	token := must(s.CreateToken(ctx, catalog.NewToken{UserID: ann.ID, Hash: tokenHash(1), Scope: catalog.ScopeRead, ExpiresAt: base}))(t)
	wantEqual(t, "expiry", token.ExpiresAt, base)
	for _, c := range []struct {
		after time.Duration
		code  catalog.Code
	}{{-time.Microsecond, ""}, {0, catalog.NotFound}, {time.Hour, catalog.NotFound}} {
		_, _, err := s.TokenByHash(ctx, tokenHash(1), base.Add(c.after))
		wantCode(t, err, c.code)
	}
}
