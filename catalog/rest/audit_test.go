package rest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Logins, and whatever changes something, are one line each in the audit log.
func TestAuditLog(t *testing.T) {
	w := newWorld(t)
	w.must(w.accounts.SetPassword(t.Context(), w.users["alice"].ID, password))
	w.version("app", "1.0", catalog.OutcomeBuilt)
	w.version("app", "2.0", catalog.OutcomeUserError)
	w.version("app", "3.0", "")
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIv0cNJeT4x0Cn7n2Gq4PsnOvKUbIvJGLXlLuFFRkzQ6 laptop"
	body, contentType := form(t, version("4.0"), source(zipFiles(t, "Dockerfile", "FROM scratch\n")))
	for _, c := range []struct {
		method, path string
		body         any
		says         string
		options      []option
	}{
		{"POST", "tokens", map[string]string{"username": "alice", "password": password}, "token created", nil},
		{"POST", "tokens", map[string]string{"username": "alice", "password": "wrong"}, "login failed", nil},
		{"POST", "keys", map[string]string{"key": key}, "key added", nil},
		{"DELETE", "keys/1", nil, "key deleted", nil},
		{"POST", "namespaces", map[string]string{"name": "team"}, "namespace created", nil},
		{"PUT", "namespaces/team/members/bob", map[string]string{"role": "read"}, "member changed", nil},
		{"POST", "images", map[string]string{"name": "new"}, "image created", nil},
		{"POST", "images/app/versions", body, "version uploaded", []option{contentType}},
		{"POST", "images/app/versions/2.0/rebuild", nil, "rebuild asked for", nil},
		{"POST", "images/app/versions/3.0/cancel", nil, "build cancelled", nil},
		{"DELETE", "images/app/versions/1.0", nil, "version deleted", nil},
		{"DELETE", "images/new", nil, "image deleted", nil},
		{"PATCH", "accounts", map[string]string{"current_password": password, "password": password + "!"}, "password changed", nil},
		{"GET", "images", nil, "", nil},
		{"DELETE", "images/nothing", nil, "", nil},
	} {
		before := len(w.log.String())
		r := w.do("alice", c.method, "/api/"+c.path, c.body, c.options...)
		if c.says != "" && c.says != "login failed" {
			r.expect(http.StatusOK)
		}
		var got []string
		for line := range strings.Lines(w.log.String()[before:]) {
			if strings.Contains(line, " audit: ") {
				got = append(got, line)
			}
		}
		if c.says == "" && len(got) == 0 {
			continue
		}
		if len(got) != 1 || c.says == "" || !strings.Contains(got[0], " audit: "+c.says) || !strings.Contains(got[0], "face=rest") || !strings.Contains(got[0], "request_id=") {
			t.Errorf("%s %s is logged as %q", c.method, c.path, got)
		}
	}
}
