package registry_test

import (
	"net/http"
	"strings"
	"testing"
)

// Logins and pushes of users are one line each in the audit log.
func TestAuditLog(t *testing.T) {
	w := newEnv(t)
	w.expect("GET", "/v2/", "", http.StatusUnauthorized, "UNAUTHORIZED")
	w.expect("GET", "/v2/", alice, http.StatusOK, "")
	w.expect("GET", "/v2/", "alice:wrong", http.StatusUnauthorized, "UNAUTHORIZED")
	w.manifest("alice/app", "1.0", "x", nil)
	w.built(w.image("alice", "other"), "1.0") // is in the log of builds
	for part, want := range map[string]int{
		" audit: login: via=registry user=alice from=127.0.0.1:":        1,
		" audit: login failed: via=registry user=alice from=127.0.0.1:": 1,
		" audit: image created: image=alice/app via=registry":           1,
		" audit: version pushed: image=alice/app version=1.0":           1,
		" audit: ": 4,
	} {
		if got := strings.Count(w.log.String(), part); got != want {
			t.Errorf("%q is logged %d times:\n%s", part, got, w.log.String())
		}
	}
}
