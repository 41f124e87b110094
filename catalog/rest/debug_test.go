package rest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog/rest"
)

func TestProfilesAreForAdministrators(t *testing.T) {
	w := newEnv(t)
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/heap"} {
		w.do("", "GET", path, nil).expect(http.StatusUnauthorized)
		w.do("alice", "GET", path, nil).expect(http.StatusForbidden)
		w.do("root", "GET", path, nil).expect(http.StatusOK)
	}
	if r := w.do("root", "GET", "/debug/pprof/goroutine?debug=1", nil); !strings.Contains(string(r.body), "goroutine profile") {
		t.Errorf("got %.80q", r.body)
	}
}

func TestMetricsAreForAdministrators(t *testing.T) {
	w := newEnv(t, func(c *rest.Config) {
		c.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("counted 1")) })
	})
	w.do("", "GET", "/metrics", nil).expect(http.StatusUnauthorized)
	w.do("alice", "GET", "/metrics", nil).expect(http.StatusForbidden)
	if r := w.do("root", "GET", "/metrics", nil); string(r.body) != "counted 1" {
		t.Errorf("got %.80q", r.body)
	}
}

func TestRouteNamesAreFew(t *testing.T) {
	w := newEnv(t)
	for path, want := range map[string]string{
		"/api/images/shop/versions/1.0": "/api/images/{name}/versions/{version}",
		"/fa/api/images":                "/api/images",
		"/api/api/users/namespaces":     "/api/users/namespaces",
		"/healthz":                      "/healthz",
		"/no/such/path":                 "none",
		"/api/images//":                 "none",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.server.RouteName(r); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}
