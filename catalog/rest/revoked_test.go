package rest_test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/rest"
)

// meanwhile does something while a source is received.
type meanwhile struct {
	catalog.Uploader
	do func()
}

func (m meanwhile) Receive(ctx context.Context, image catalog.Image, source io.Reader) (catalog.Upload, error) {
	m.do()
	return m.Uploader.Receive(ctx, image, source)
}

// An upload takes effect only if its user may publish then, however long ago it began.
func TestRevokedWhileUploading(t *testing.T) {
	var revoke func()
	w := newEnv(t, func(c *rest.Config) { c.Uploads = meanwhile{c.Uploads, func() { revoke() }} })
	w.do("alice", "POST", "/api/images", map[string]string{"name": "app"}).expect(http.StatusOK)
	w.must(w.store.SetMember(t.Context(), "alice", w.users["bob"].ID, catalog.RoleWrite))
	for version, row := range map[string]struct {
		status int
		revoke func() error
	}{
		"1": {http.StatusOK, func() error { return nil }},
		"2": {http.StatusForbidden, func() error { return w.store.SetMember(t.Context(), "alice", w.users["bob"].ID, catalog.RoleRead) }},
		"3": {http.StatusUnauthorized, func() error {
			yes := true
			_, err := w.store.UpdateUser(t.Context(), w.users["bob"].ID, catalog.UserUpdate{Disabled: &yes})
			return err
		}},
	} {
		no := false
		_, err := w.store.UpdateUser(t.Context(), w.users["bob"].ID, catalog.UserUpdate{Disabled: &no})
		w.must(err)
		w.must(w.store.SetMember(t.Context(), "alice", w.users["bob"].ID, catalog.RoleWrite))
		revoke = func() { w.must(row.revoke()) }
		body, contentType := form(t, field{name: "version", data: []byte(version)}, source(zipFiles(t, "Dockerfile", "FROM scratch\n")))
		w.do("bob", "POST", "/api/images/app/versions", body, contentType, header("ACTIVE-NAMESPACE", "alice")).expect(row.status)
		there := w.do("alice", "GET", "/api/images/app/versions/"+version, nil)
		if made := there.status == http.StatusOK; made != (row.status == http.StatusOK) {
			t.Errorf("version %s after status %d: %d", version, row.status, there.status)
		}
	}
}

// late is a body that does something before the first of it is sent, which is when the
// server asks for it.
type late struct {
	io.ReadCloser
	do func()
}

func (l *late) Read(b []byte) (int, error) {
	l.do()
	return l.ReadCloser.Read(b)
}

// whenRead does something when the server begins to read a request's body.
func whenRead(do func()) option {
	return func(r *http.Request) {
		r.Header.Set("Expect", "100-continue")
		r.Body = &late{r.Body, sync.OnceFunc(do)}
	}
}

// What a body asks for is done only for who may ask for it when all of it is there.
func TestRevokedWhileSending(t *testing.T) {
	w := newEnv(t)
	ctx := t.Context()
	bob := w.users["bob"].ID
	_, err := w.store.CreateNamespace(ctx, "team", w.users["alice"].ID)
	w.must(err)
	yes, no := true, false
	change := func(to catalog.UserUpdate) func() error {
		return func() error {
			_, err := w.store.UpdateUser(ctx, bob, to)
			return err
		}
	}
	leave := func() error { return w.store.SetMember(ctx, "team", bob, catalog.RoleNone) }
	forget := func() error { return w.store.DeleteTokens(ctx, bob) }
	member, admin, token := "/api/namespaces/team/members/bob", "/api/admin/users/alice", "/api/tokens"
	for name, row := range map[string]struct {
		method, path string
		body         any
		revoke       func() error
		status       int
	}{
		"member":              {"PUT", member, map[string]string{"role": "admin"}, func() error { return nil }, http.StatusOK},
		"removed member":      {"PUT", member, map[string]string{"role": "admin"}, leave, http.StatusNotFound},
		"demoted":             {"PATCH", admin, map[string]bool{"admin": true}, change(catalog.UserUpdate{Admin: &no}), http.StatusForbidden},
		"disabled":            {"PATCH", admin, map[string]bool{"admin": true}, change(catalog.UserUpdate{Disabled: &yes}), http.StatusUnauthorized},
		"revoked token":       {"POST", token, map[string]string{"name": "next"}, forget, http.StatusUnauthorized},
		"revoked, for images": {"POST", "/api/images", map[string]string{"name": "app"}, forget, http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			w := *w
			w.t = t
			w.must(change(catalog.UserUpdate{Admin: &yes, Disabled: &no})())
			if name == "removed member" || name == "member" {
				w.must(change(catalog.UserUpdate{Admin: &no})())
			}
			w.must(w.store.SetMember(ctx, "team", bob, catalog.RoleAdmin))
			w.tokens["bob"], _, err = w.accounts.CreateToken(ctx, catalog.NewToken{UserID: bob, Name: "test", Scope: catalog.ScopeWrite})
			w.must(err)
			revoked := false
			w.do("bob", row.method, row.path, row.body, whenRead(func() {
				w.must(row.revoke())
				revoked = true
			})).expect(row.status)
			if !revoked {
				t.Error("the body was not read")
			}
		})
	}
}
