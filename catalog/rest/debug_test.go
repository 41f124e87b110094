package rest_test

import (
	"net/http"
	"strings"
	"testing"
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
