package rest_test

import (
	"crypto/ed25519"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
)

type wireToken struct {
	ID      int64
	Name    string
	Scope   string
	Token   string
	Expires *time.Time `json:"expires_at"`
}

func TestLogin(t *testing.T) {
	w := newEnv(t)
	w.must(w.accounts.SetPassword(t.Context(), w.users["alice"].ID, password))
	login := func(body map[string]any) reply { return w.do("", "POST", "/api/tokens", body) }

	made := into[wireToken](login(map[string]any{"username": "alice", "password": password}).expect(http.StatusOK))
	if made.Token == "" || made.Scope != "write" || made.Expires == nil || time.Until(*made.Expires) < 24*time.Hour {
		t.Errorf("token %+v", made)
	}
	w.tokens["fresh"] = made.Token
	w.do("fresh", "GET", "/fa/api/images", nil).expect(http.StatusOK)
	w.do("", "GET", "/api/images", nil, header("Authorization", "Bearer "+made.Token)).expect(http.StatusOK)
	w.do("", "GET", "/api/images", nil, header("Authorization", "Basic "+made.Token)).fault(http.StatusUnauthorized, "detail")

	// A client that still sends its expired token can log in again.
	w.tokens["stale"] = "fandogh_expired"
	w.do("stale", "POST", "/api/tokens", map[string]string{"username": "alice", "password": password}).expect(http.StatusOK)
	w.do("stale", "POST", "/api/tokens", map[string]string{"name": "ci"}).fault(http.StatusUnauthorized, "detail")

	login(map[string]any{"username": "alice", "password": "wrong"}).fault(http.StatusUnauthorized, "detail")
	login(map[string]any{"username": "nobody", "password": password}).fault(http.StatusUnauthorized, "detail")
	login(map[string]any{"username": "alice"}).fault(http.StatusBadRequest, "password")
	login(map[string]any{"password": password}).fault(http.StatusBadRequest, "username")
	login(map[string]any{}).fault(http.StatusBadRequest, "username")

	limited := false
	for range 20 {
		r := login(map[string]any{"username": "alice", "password": "wrong"})
		if limited = r.status == http.StatusTooManyRequests; limited {
			if r.fault(http.StatusTooManyRequests, "detail"); !strings.Contains(string(r.body), "wait "+r.header.Get("Retry-After")+" s") {
				t.Errorf("Retry-After %q, told %s", r.header.Get("Retry-After"), r.body)
			}
			break
		}
	}
	if !limited {
		t.Error("20 wrong passwords in a row were never limited")
	}
}

func TestTokens(t *testing.T) {
	w := newEnv(t)
	create := func(user string, body map[string]any) reply { return w.do(user, "POST", "/api/tokens", body) }
	tomorrow := time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)

	made := into[wireToken](create("alice", map[string]any{"name": "ci", "scope": "read", "expires_at": tomorrow}).expect(http.StatusOK))
	if made.Name != "ci" || made.Scope != "read" || made.Expires == nil || made.Expires.Format(time.RFC3339) != tomorrow {
		t.Errorf("token %+v", made)
	}
	w.tokens["ci"] = made.Token
	w.do("ci", "GET", "/api/images", nil).expect(http.StatusOK)
	w.do("ci", "POST", "/api/images", map[string]string{"name": "x"}).fault(http.StatusForbidden, "detail")
	// A read token must not grow.
	create("ci", map[string]any{"name": "more", "scope": "write"}).fault(http.StatusForbidden, "detail")
	create("", map[string]any{"username": "alice", "password": made.Token, "scope": "write"}).fault(http.StatusForbidden, "detail")
	create("", map[string]any{"username": "alice", "password": made.Token}).fault(http.StatusForbidden, "detail")

	create("alice", map[string]any{"scope": "admin"}).fault(http.StatusBadRequest, "scope")
	create("alice", map[string]any{"expires_at": "tomorrow"}).fault(http.StatusBadRequest, "expires_at")
	create("alice", map[string]any{"expires_at": "2020-01-01T00:00:00Z"}).fault(http.StatusBadRequest, "expires_at")

	list := into[[]wireToken](w.do("alice", "GET", "/api/tokens", nil).expect(http.StatusOK))
	for _, token := range list {
		if token.Token != "" {
			t.Errorf("the list shows a secret: %+v", token)
		}
		if token.ID == made.ID {
			w.do("bob", "DELETE", path("/api/tokens", made.ID), nil).fault(http.StatusNotFound, "detail")
			w.do("alice", "DELETE", path("/api/tokens", made.ID), nil).expect(http.StatusOK)
		}
	}
	w.do("ci", "GET", "/api/images", nil).expect(http.StatusUnauthorized)
	w.do("alice", "DELETE", "/api/tokens/x", nil).fault(http.StatusBadRequest, "id")
}

func TestAccount(t *testing.T) {
	w := newEnv(t)
	w.must(w.accounts.SetPassword(t.Context(), w.users["alice"].ID, password))
	a := into[map[string]any](w.do("alice", "GET", "/api/accounts", nil).expect(http.StatusOK))
	if a["username"] != "alice" || a["namespace"] != "alice" || a["admin"] != false || a["git_url"] != "ssh://git@git.test:2222" {
		t.Errorf("account %v", a)
	}
	change := func(current, next string) reply {
		return w.do("alice", "PATCH", "/api/accounts", map[string]string{"current_password": current, "password": next})
	}
	change("wrong", "another good password").fault(http.StatusBadRequest, "current_password")
	change(w.tokens["alice"], "another good password").fault(http.StatusBadRequest, "current_password")
	change("", "another good password").fault(http.StatusBadRequest, "current_password")
	change(password, "").fault(http.StatusBadRequest, "password")
	change(password, "short").fault(http.StatusBadRequest, "password")
	change(password, "another good password").expect(http.StatusOK)
	if _, err := w.accounts.ByPassword(t.Context(), "", "alice", password); catalog.CodeOf(err) != catalog.Unauthorized {
		t.Errorf("the old password: %v", err)
	}
	if _, err := w.accounts.ByPassword(t.Context(), "", "alice", "another good password"); err != nil {
		t.Error(err)
	}
}

// publicKey is a new key as a line of authorized_keys.
func publicKey(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(key))
}

func TestKeys(t *testing.T) {
	w := newEnv(t)
	line := publicKey(t)
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	w.must(err)
	type wireKey struct {
		ID                int64
		Name, Fingerprint string
	}
	made := into[wireKey](w.do("alice", "POST", "/api/keys", map[string]string{"name": "laptop", "key": line}).expect(http.StatusOK))
	if made.Name != "laptop" || made.Fingerprint != ssh.FingerprintSHA256(key) {
		t.Errorf("key %+v", made)
	}
	w.do("bob", "POST", "/api/keys", map[string]string{"key": line}).expect(http.StatusConflict)
	w.do("alice", "POST", "/api/keys", map[string]string{"key": "ssh-nonsense AAAA"}).fault(http.StatusBadRequest, "key")
	w.do("alice", "POST", "/api/keys", map[string]string{}).fault(http.StatusBadRequest, "key")
	if keys := into[[]wireKey](w.do("alice", "GET", "/api/keys", nil).expect(http.StatusOK)); len(keys) != 1 || keys[0] != made {
		t.Errorf("keys %+v", keys)
	}
	w.do("bob", "DELETE", path("/api/keys", made.ID), nil).fault(http.StatusNotFound, "detail")
	w.do("alice", "DELETE", path("/api/keys", made.ID), nil).expect(http.StatusOK)
}

func TestNamespaces(t *testing.T) {
	w := newEnv(t)
	type row struct{ Name, Role string }
	w.do("alice", "POST", "/api/namespaces", map[string]string{"name": "team"}).expect(http.StatusOK)
	w.do("bob", "POST", "/api/namespaces", map[string]string{"name": "team"}).fault(http.StatusConflict, "name")
	w.do("bob", "POST", "/api/namespaces", map[string]string{"name": "Te am"}).expect(http.StatusBadRequest)
	member := func(user, method, name string, body any) reply {
		return w.do(user, method, "/api/namespaces/team/members/"+name, body)
	}
	member("bob", "PUT", "bob", map[string]string{"role": "owner"}).fault(http.StatusNotFound, "detail")
	member("alice", "PUT", "bob", map[string]string{"role": "boss"}).fault(http.StatusBadRequest, "role")
	member("alice", "PUT", "nobody", map[string]string{"role": "read"}).expect(http.StatusNotFound)
	member("alice", "PUT", "bob", map[string]string{"role": "read"}).expect(http.StatusOK)
	member("bob", "PUT", "bob", map[string]string{"role": "admin"}).fault(http.StatusForbidden, "detail")
	for _, name := range []string{"owner", "admin"} { // both are understood
		if r := member("alice", "PUT", "alice", map[string]string{"role": name}); into[map[string]string](r)["role"] != "admin" {
			t.Errorf("role %s: %s", name, r.body)
		}
	}

	list := into[[]row](w.do("bob", "GET", "/api/namespaces", nil).expect(http.StatusOK))
	if len(list) != 2 || list[0] != (row{"bob", "admin"}) || list[1] != (row{"team", "read"}) {
		t.Errorf("namespaces %v", list)
	}
	w.do("bob", "GET", "/api/namespaces/team/members", nil).expect(http.StatusOK)
	member("alice", "DELETE", "bob", nil).expect(http.StatusOK)
	w.do("bob", "GET", "/api/namespaces/team/members", nil).fault(http.StatusNotFound, "detail")
	member("alice", "DELETE", "alice", nil).expect(http.StatusConflict) // the last owner
}

func path(base string, id int64) string { return fmt.Sprintf("%s/%d", base, id) }
