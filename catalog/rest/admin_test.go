package rest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/catalog/rest"
)

// What administrators ask for of users and namespaces, and what they are refused.
func TestAdministration(t *testing.T) {
	w := newEnv(t)
	w.version("app", "1.0", catalog.OutcomeBuilt)
	w.do("bob", "POST", "/api/namespaces", map[string]string{"name": "team"}).expect(http.StatusOK)
	for _, c := range []struct {
		user, method, path string
		body               any
		status             int
	}{
		{"bob", "GET", "admin/users", nil, http.StatusForbidden},
		{"bob", "PATCH", "admin/users/alice", map[string]any{"disabled": true}, http.StatusForbidden},
		{"bob", "PATCH", "admin/users/bob", map[string]any{"admin": true}, http.StatusForbidden},
		{"root", "PATCH", "admin/users/nobody", map[string]any{"disabled": true}, http.StatusNotFound},
		{"root", "PATCH", "admin/users/alice", map[string]any{}, http.StatusBadRequest},
		{"root", "PATCH", "admin/users/alice", map[string]any{"name": "x"}, http.StatusBadRequest},
		{"root", "PATCH", "admin/users/alice", map[string]any{"password": "short"}, http.StatusBadRequest},
		{"root", "PATCH", "admin/users/ROOT", map[string]any{"disabled": true}, http.StatusConflict},
		{"root", "PATCH", "admin/users/root", map[string]any{"disabled": false, "admin": false}, http.StatusConflict},
		{"root", "DELETE", "admin/users/root", nil, http.StatusConflict},
		{"root", "DELETE", "admin/users/nobody", nil, http.StatusNotFound},
		{"root", "DELETE", "admin/users/alice", nil, http.StatusConflict},
		{"root", "DELETE", "admin/users/alice?images=maybe", nil, http.StatusBadRequest},
		{"root", "DELETE", "admin/users/bob", nil, http.StatusConflict}, // the only admin of team
		{"root", "GET", "admin/users/nobody/tokens", nil, http.StatusNotFound},
		{"root", "DELETE", "admin/users/nobody/tokens", nil, http.StatusNotFound},
		{"root", "DELETE", "admin/users/alice/tokens/2", nil, http.StatusNotFound}, // it is bob's
		{"root", "DELETE", "admin/users/bob/tokens/x", nil, http.StatusBadRequest},
		{"root", "GET", "admin/users/nobody/keys", nil, http.StatusNotFound},
		{"root", "DELETE", "admin/users/bob/keys/7", nil, http.StatusNotFound},
		{"root", "DELETE", "admin/namespaces/nowhere", nil, http.StatusNotFound},
		{"root", "DELETE", "admin/namespaces/alice?images=true", nil, http.StatusConflict},
		{"root", "PATCH", "admin/users/bob", map[string]any{"disabled": true}, http.StatusOK},
		{"bob", "GET", "accounts", nil, http.StatusUnauthorized},
		{"root", "PATCH", "admin/users/bob", map[string]any{"disabled": false, "password": password}, http.StatusOK},
		{"bob", "GET", "accounts", nil, http.StatusOK},
		{"root", "DELETE", "admin/namespaces/TEAM", nil, http.StatusOK},
		{"root", "DELETE", "admin/users/bob", nil, http.StatusOK},
		{"bob", "GET", "accounts", nil, http.StatusUnauthorized},
		{"root", "DELETE", "admin/users/alice?images=true", nil, http.StatusOK},
		{"root", "GET", "admin/users", nil, http.StatusOK},
	} {
		// An administrator's own wish for a namespace says nothing here.
		w.do(c.user, c.method, "/api/"+c.path, c.body, header("ACTIVE-NAMESPACE", "nowhere")).expect(c.status)
	}
	if !slices.Equal(w.remover.removed, []string{"team/: 0", "bob/: 0", "alice/app: 1", "alice/: 0"}) {
		t.Errorf("removed: %q", w.remover.removed)
	}
	if users := into[[]api.User](w.do("root", "GET", "/api/admin/users", nil)); len(users) != 1 || users[0].Username != "root" || !users[0].Admin {
		t.Errorf("left: %+v", users)
	}
}

// Where names are for the users to come, administrators alone make namespaces.
func TestNamespacesByAdministrators(t *testing.T) {
	w := newEnv(t, func(c *rest.Config) { c.NamespacesByAdmins = true })
	w.do("bob", "POST", "/api/namespaces", map[string]string{"name": "newhire"}).fault(http.StatusForbidden, "detail")
	w.do("root", "POST", "/api/namespaces", map[string]string{"name": "team"}).expect(http.StatusOK)
}

// A limit is told with what to do.
func TestLimitsAreTold(t *testing.T) {
	w := newEnv(t)
	w.store.SetLimits(catalog.Limits{Tokens: 2, Keys: 1, Namespaces: 1, Images: 1, Webhooks: 1, Secrets: 1}) // alice has two tokens
	w.do("alice", "POST", "/api/images", map[string]string{"name": "app"}).expect(http.StatusOK)
	w.do("alice", "POST", "/api/namespaces", map[string]string{"name": "team"}).expect(http.StatusOK)
	for path, body := range map[string]map[string]string{
		"images": {"name": "other"}, "namespaces": {"name": "other"}, "tokens": {"name": "other"},
	} {
		e := w.do("alice", "POST", "/api/"+path, body).fault(http.StatusForbidden, "detail")
		if !strings.Contains(e.Message, "the limit of") || !strings.Contains(e.Message, "delete") {
			t.Errorf("%s: told %q", path, e.Message)
		}
	}
}
