package rest_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/rest"
)

func TestDescriptionMatchesRoutes(t *testing.T) {
	doc := loadSpec(t)
	described := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			described[method+" "+path] = true
		}
	}
	for _, row := range rest.RouteTable() {
		key := row.Method + " " + row.Path
		if !described[key] {
			t.Errorf("openapi.yaml lacks %s", key)
		}
		delete(described, key)
	}
	for key := range described {
		t.Errorf("openapi.yaml describes %s, which is not served", key)
	}
}

var placeholder = regexp.MustCompile(`\{(\w+)\}`)

// fill gives every placeholder of a path something that exists in TestAccess.
func fill(path string) string {
	values := map[string]string{"name": "app", "version": "1.0", "build": "1", "id": "1", "namespace": "alice", "user": "bob", "shared": "team", "image": "nothing", "kind": "versions", "delivery": "1"}
	return placeholder.ReplaceAllStringFunc(path, func(m string) string { return values[strings.Trim(m, "{}")] })
}

// Every route refuses a client without the right to it, before it looks at
// anything else of the request.
func TestAccess(t *testing.T) {
	w := newEnv(t)
	w.version("app", "1.0", catalog.OutcomeBuilt)
	w.tokens["invalid"] = "fandogh_nonsense"
	for _, row := range rest.RouteTable() {
		if !row.Declared {
			t.Errorf("%s %s declares no access", row.Method, row.Path)
		}
		if row.Open {
			continue
		}
		path := "/api" + fill(row.Path)
		w.do("", row.Method, path, nil).expect(http.StatusUnauthorized)
		w.do("invalid", row.Method, path, nil).expect(http.StatusUnauthorized)
		if row.Writes {
			w.do("alice-ro", row.Method, path, nil).fault(http.StatusForbidden, "detail")
		}
		if strings.Contains(row.Path, "{name}") || strings.Contains(row.Path, "{namespace}") || row.Path == "/images" || row.Path == "/events" {
			there := w.do("bob", row.Method, path, nil, header("ACTIVE-NAMESPACE", "alice")).expect(http.StatusNotFound)
			if got := into[wireError](there).Message; got != `namespace "alice" does not exist, or you have no access to it` {
				t.Errorf("%s %s tells a stranger %q", row.Method, row.Path, got)
			}
		}
	}
}

func TestRoles(t *testing.T) {
	w := newEnv(t)
	inAlice := header("ACTIVE-NAMESPACE", "alice")
	for _, row := range []struct {
		role                     catalog.Role
		list, create, deleteTask int
	}{
		{catalog.RoleNone, 404, 404, 404},
		{catalog.RoleRead, 200, 403, 403},
		{catalog.RoleWrite, 200, 200, 403},
		{catalog.RoleAdmin, 200, 200, 200},
	} {
		w.version("app", "1.0", catalog.OutcomeBuilt)
		w.must(w.store.SetMember(t.Context(), "alice", w.users["bob"].ID, row.role))
		w.do("bob", "GET", "/api/images", nil, inAlice).expect(row.list)
		w.do("bob", "POST", "/api/images", map[string]string{"name": "new"}, inAlice).expect(row.create)
		w.do("bob", "DELETE", "/api/images/app", nil, inAlice).expect(row.deleteTask)
		for _, name := range []string{"app", "new"} {
			w.do("root", "DELETE", "/api/images/"+name, nil, inAlice)
		}
	}
}

func TestWhatIsNotThere(t *testing.T) {
	w := newEnv(t)
	for _, prefix := range []string{"/api", "/fa/api"} {
		w.do("alice", "GET", prefix+"/nothing", nil).fault(http.StatusNotFound, "detail")
		r := w.do("alice", "PUT", prefix+"/images", nil)
		r.fault(http.StatusMethodNotAllowed, "detail")
		if allow := r.header.Get("Allow"); !strings.Contains(allow, "GET") || !strings.Contains(allow, "POST") {
			t.Errorf("Allow: %q", allow)
		}
	}
	w.do("alice", "GET", "/fa/healthz", nil).expect(http.StatusNotFound)
	w.do("alice", "GET", "/", nil).expect(http.StatusNotFound)
}

func TestVersionNeedsNoLogin(t *testing.T) {
	w := newEnv(t)
	w.tokens["invalid"] = "fandogh_nonsense"
	for _, who := range []string{"", "alice", "invalid"} {
		got := into[map[string]string](w.do(who, "GET", "/api/version", nil).expect(http.StatusOK))
		if len(got) != 1 || got["version"] != "v1.2-test" {
			t.Errorf("%q gets %v", who, got)
		}
	}
}

func TestDescriptionIsServed(t *testing.T) {
	w := newEnv(t)
	r := w.do("", "GET", "/api/openapi.yaml", nil).expect(http.StatusOK)
	if !strings.HasPrefix(string(r.body), "openapi: 3") {
		t.Errorf("got %.40s", r.body)
	}
}
