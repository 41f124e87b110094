package rest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/rest"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// Logins, and whatever changes something, are one line each in the audit log.
func TestAuditLog(t *testing.T) {
	w := newEnv(t)
	w.must(w.accounts.SetPassword(t.Context(), w.users["alice"].ID, password))
	w.version("app", "1.0", catalog.OutcomeBuilt)
	w.version("app", "2.0", catalog.OutcomeUserError)
	w.version("app", "3.0", "")
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIv0cNJeT4x0Cn7n2Gq4PsnOvKUbIvJGLXlLuFFRkzQ6 laptop"
	asRoot := []option{header("Authorization", "JWT "+w.tokens["root"])}
	_, err := w.store.CreateKey(t.Context(), catalog.NewKey{UserID: w.users["bob"].ID, Fingerprint: "SHA256:bobs"})
	w.must(err)
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
		{"DELETE", "keys/2", nil, "key deleted", nil},
		{"POST", "namespaces", map[string]string{"name": "team"}, "namespace created", nil},
		{"PUT", "namespaces/team/members/bob", map[string]string{"role": "read"}, "member changed", nil},
		{"POST", "images", map[string]string{"name": "new"}, "image created", nil},
		{"POST", "images/app/versions", body, "version uploaded", []option{contentType}},
		{"PUT", "images/app/default-branch", map[string]string{"branch": "main"}, "default branch chosen", nil},
		{"POST", "images/app/versions/2.0/rebuild", nil, "rebuild requested", nil},
		{"POST", "images/app/versions/3.0/cancel", nil, "build cancelled", nil},
		{"PUT", "images/app/retention/versions", map[string]any{"keep_last": 3}, "retention rule set", nil},
		{"DELETE", "images/app/retention/versions", nil, "retention rule deleted", nil},
		{"DELETE", "images/app/versions/1.0", nil, "version deleted", nil},
		{"DELETE", "admin/namespaces/alice/images/app/deleted-versions/1.0", nil, "name of a deleted version freed", asRoot},
		{"DELETE", "images/new", nil, "image deleted", nil},
		{"PATCH", "accounts", map[string]string{"current_password": password, "password": password + "!"}, "password changed", nil},
		{"PATCH", "admin/users/bob", map[string]any{"disabled": true}, "user disabled", asRoot},
		{"PATCH", "admin/users/bob", map[string]any{"disabled": false}, "user enabled", asRoot},
		{"PATCH", "admin/users/bob", map[string]any{"admin": true}, "user made an administrator", asRoot},
		{"PATCH", "admin/users/bob", map[string]any{"admin": false}, "user is no longer an administrator", asRoot},
		{"PATCH", "admin/users/bob", map[string]any{"password": password}, "password reset", asRoot},
		{"DELETE", "admin/users/bob/tokens/2", nil, "token revoked", asRoot},
		{"DELETE", "admin/users/bob/tokens", nil, "tokens revoked", asRoot},
		{"DELETE", "admin/users/bob/keys/1", nil, "key deleted", asRoot},
		{"DELETE", "admin/namespaces/team", nil, "namespace deleted", asRoot},
		{"DELETE", "admin/users/bob", nil, "user deleted", asRoot},
		{"DELETE", "admin/mirror", nil, "kept images of other registries removed", asRoot},
		{"GET", "admin/users", nil, "", asRoot},
		{"PATCH", "admin/users/alice", map[string]any{"disabled": true}, "", nil},
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
		if len(got) != 1 || c.says == "" || !strings.Contains(got[0], " audit: "+c.says) || !strings.Contains(got[0], "via=rest") || !strings.Contains(got[0], "request_id=") {
			t.Errorf("%s %s is logged as %q", c.method, c.path, got)
		}
	}
}

// The address of a webhook may be a secret by itself: the log names its host alone.
func TestWebhookAddressesAreNotLogged(t *testing.T) {
	w := newEnv(t)
	w.do("alice", "POST", "/api/namespaces/alice/webhooks", map[string]string{"url": "https://hooks.example.com/T0/sesame?key=sesame"}).expect(http.StatusOK)
	if got := w.log.String(); !strings.Contains(got, "audit: webhook created") || !strings.Contains(got, "hooks.example.com") || strings.Contains(got, "sesame") {
		t.Errorf("logged %q", got)
	}
}

// A password that was not looked at did not fail.
func TestThrottledLoginsAreNotLogged(t *testing.T) {
	w := newEnv(t)
	for wrong := range 20 {
		if r := w.do("", "POST", "/api/tokens", map[string]string{"username": "alice", "password": "wrong"}); r.status != http.StatusTooManyRequests {
			continue
		}
		if got := strings.Count(w.log.String(), "login failed"); got != wrong {
			t.Errorf("%d wrong passwords are logged as %d failed logins", wrong, got)
		}
		return
	}
	t.Error("20 wrong passwords in a row were never limited")
}

// Whatever else is logged, the audit log is.
func TestAuditLogAtEveryLevel(t *testing.T) {
	var log testkit.Buffer
	w := newEnv(t, func(c *rest.Config) {
		c.Logger = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Error, IndependentLevels: true})
	})
	w.do("alice", "POST", "/api/images", map[string]string{"name": "new"}).expect(http.StatusOK)
	if got := log.String(); !strings.Contains(got, "audit: image created") || strings.Count(got, "\n") != 1 {
		t.Errorf("logged %q", got)
	}
}
