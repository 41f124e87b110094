package registry_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	alice = "alice:" + password
	bob   = "bob:" + password
)

func TestLogin(t *testing.T) {
	w := newEnv(t)
	if a := w.expect("GET", "/v2/", "", http.StatusUnauthorized, "UNAUTHORIZED"); a.header.Get("WWW-Authenticate") != `Basic realm="fandogh"` {
		t.Errorf("challenge %q", a.header.Get("WWW-Authenticate"))
	}
	w.expect("GET", "/v2/", alice, http.StatusOK, "")
	w.expect("GET", "/v2/", "alice:wrong", http.StatusUnauthorized, "UNAUTHORIZED")
	w.expect("GET", "/v2/", "nobody:wrong", http.StatusUnauthorized, "UNAUTHORIZED")

	secret, token, err := w.accounts.CreateToken(t.Context(), catalog.NewToken{UserID: w.alice.ID, Name: "ci", Scope: catalog.ScopeRead})
	w.must(err)
	w.expect("GET", "/v2/", "alice:"+secret, http.StatusOK, "")
	w.expect("GET", "/v2/", "bob:"+secret, http.StatusUnauthorized, "UNAUTHORIZED")
	w.must(w.store.DeleteToken(t.Context(), w.alice.ID, token.ID))
	w.expect("GET", "/v2/", "alice:"+secret, http.StatusUnauthorized, "UNAUTHORIZED")
}

// Some clients answer the challenge with an empty name and password when they have none.
func TestNoCredentials(t *testing.T) {
	w := newEnv(t)
	for range 50 {
		if a := w.expect("GET", "/v2/", ":", http.StatusUnauthorized, "UNAUTHORIZED"); !strings.HasPrefix(a.text, "log in first") {
			t.Fatalf("answered %q", a.text)
		}
	}
	if strings.Contains(w.log.String(), "login failed") {
		t.Errorf("logged:\n%s", w.log.String())
	}
	w.expect("GET", "/v2/", alice, http.StatusOK, "")
}

func TestRateLimit(t *testing.T) {
	w := newEnv(t)
	for wrong := range 20 {
		if w.request("GET", "/v2/", "alice:wrong").status == http.StatusTooManyRequests {
			if a := w.expect("GET", "/v2/", "alice:wrong", http.StatusTooManyRequests, "TOOMANYREQUESTS"); a.header.Get("Retry-After") != "1" {
				t.Errorf("Retry-After: %q", a.header.Get("Retry-After"))
			}
			if got := strings.Count(w.log.String(), "login failed"); got != wrong {
				t.Errorf("%d wrong passwords are logged as %d failed logins", wrong, got)
			}
			return
		}
	}
	t.Error("20 wrong passwords in a row were never limited")
}

func TestPull(t *testing.T) {
	w := newEnv(t)
	image := w.image("alice", "App") // found and pulled without regard to case
	digest := w.built(image, "1.0")
	for _, at := range []string{":1.0", "@" + digest} {
		w.run("skopeo", "copy", "--src-tls-verify=false", "--src-creds", alice, w.app(at), "dir:"+t.TempDir())
		for _, creds := range []string{bob, "alice:wrong"} {
			if out, err := w.try("skopeo", "inspect", "--tls-verify=false", "--creds", creds, w.app(at)); err == nil {
				t.Errorf("%.5s pulled %s:\n%s", creds, at, out)
			}
		}
		if out, err := w.try("skopeo", "inspect", "--tls-verify=false", "--no-creds", w.app(at)); err == nil {
			t.Errorf("anonymous pulled %s:\n%s", at, out)
		}
	}
	w.run("crane", "auth", "login", w.host, "-u", "alice", "-p", password)
	w.run("crane", "validate", "--insecure", "--remote", w.host+"/alice/app:1.0")
}

// What a stranger is told must not tell whether the image exists.
func TestOthersImagesAreInvisible(t *testing.T) {
	w := newEnv(t)
	digest := w.built(w.image("alice", "app"), "1.0")
	w.image("bob", "app")
	for _, path := range []string{"manifests/1.0", "manifests/" + digest, "tags/list", "blobs/" + digest} {
		there := w.expect("GET", "/v2/alice/app/"+path, bob, http.StatusNotFound, "NAME_UNKNOWN")
		missing := w.expect("GET", "/v2/alice/nix/"+path, bob, http.StatusNotFound, "NAME_UNKNOWN")
		nowhere := w.expect("GET", "/v2/nix/app/"+path, bob, http.StatusNotFound, "NAME_UNKNOWN")
		if strings.ReplaceAll(there.text, "app", "nix") != missing.text || strings.ReplaceAll(nowhere.text, "nix", "alice") != there.text {
			t.Errorf("answers differ: %q, %q, %q", there.text, missing.text, nowhere.text)
		}
	}
	// The same digest in an own repository of the same name is not there either.
	w.expect("GET", "/v2/bob/app/manifests/"+digest, bob, http.StatusNotFound, "MANIFEST_UNKNOWN")

	w.must(w.store.SetMember(t.Context(), "alice", mustUser(w, "bob").ID, catalog.RoleRead))
	w.expect("GET", "/v2/alice/app/manifests/1.0", bob, http.StatusOK, "")
	w.expect("POST", "/v2/alice/app/blobs/uploads/", bob, http.StatusForbidden, "DENIED")
}

func mustUser(w *env, name string) catalog.User {
	user, err := w.store.User(w.t.Context(), name)
	w.must(err)
	return user
}

func TestOnlyBuiltTagsAreServed(t *testing.T) {
	w := newEnv(t)
	image := w.image("alice", "app")
	build, creds := w.start(image, "1.0")
	digest := w.push(w.archive(), "alice/app:1.0", creds)
	w.expect("GET", "/v2/alice/app/manifests/1.0", alice, http.StatusNotFound, "MANIFEST_UNKNOWN")
	w.expect("HEAD", "/v2/alice/app/manifests/1.0", creds, http.StatusOK, "")
	w.expect("GET", "/v2/alice/app/manifests/"+digest, alice, http.StatusOK, "")
	if tags := tagsOf(t, w.request("GET", "/v2/alice/app/tags/list", alice)); len(tags) != 0 {
		t.Errorf("tags %v of an image without a built version", tags)
	}
	w.finish(build, digest)
	if got := w.expect("GET", "/v2/alice/app/manifests/1.0", alice, http.StatusOK, ""); got.header.Get("Docker-Content-Digest") != digest {
		t.Errorf("tag gives %s, the catalog has %s", got.header.Get("Docker-Content-Digest"), digest)
	}
	w.expect("GET", "/v2/alice/app/manifests/2.0", alice, http.StatusNotFound, "MANIFEST_UNKNOWN")
}

func TestTagsPages(t *testing.T) {
	w := newEnv(t)
	image := w.image("alice", "app")
	digest := w.built(image, "c")
	for _, version := range []string{"a", "d", "b"} {
		build, _ := w.start(image, version)
		w.finish(build, digest)
	}
	first := w.expect("GET", "/v2/alice/app/tags/list?n=3", alice, http.StatusOK, "")
	if tags := tagsOf(t, first); !slices.Equal(tags, []string{"a", "b", "c"}) {
		t.Errorf("first page %v", tags)
	}
	next, _, _ := strings.Cut(strings.TrimPrefix(first.header.Get("Link"), "<"), ">")
	second := w.expect("GET", next, alice, http.StatusOK, "")
	if tags := tagsOf(t, second); !slices.Equal(tags, []string{"d"}) || second.header.Get("Link") != "" {
		t.Errorf("second page %v, then %q", tags, second.header.Get("Link"))
	}
	w.expect("GET", "/v2/alice/app/tags/list?n=x", alice, http.StatusBadRequest, "UNSUPPORTED")
}

func tagsOf(t *testing.T, a answer) []string {
	t.Helper()
	var list struct{ Tags []string }
	if err := json.Unmarshal(a.body, &list); err != nil || list.Tags == nil {
		t.Fatalf("no tag list: %v %s", err, a.body)
	}
	return list.Tags
}

func TestCatalogListsWhatMayBeRead(t *testing.T) {
	w := newEnv(t)
	_, err := w.accounts.CreateUser(t.Context(), "root", password, true)
	w.must(err)
	for _, name := range []string{"b", "a", "c"} {
		w.image("alice", name)
	}
	w.image("bob", "app")
	list := func(path, creds string) []string {
		t.Helper()
		var list struct{ Repositories []string }
		a := w.expect("GET", path, creds, http.StatusOK, "")
		if err := json.Unmarshal(a.body, &list); err != nil || list.Repositories == nil {
			t.Fatalf("%v in %s", err, a.body)
		}
		return list.Repositories
	}
	for _, c := range []struct {
		path, creds string
		want        []string
	}{
		{"/v2/_catalog", alice, []string{"alice/a", "alice/b", "alice/c"}},
		{"/v2/_catalog?n=2", alice, []string{"alice/a", "alice/b"}},
		{"/v2/_catalog?n=2&last=alice/b", alice, []string{"alice/c"}},
		{"/v2/_catalog", bob, []string{"bob/app"}},
		{"/v2/_catalog", "root:" + password, []string{"alice/a", "alice/b", "alice/c", "bob/app"}},
	} {
		if got := list(c.path, c.creds); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.path, got, c.want)
		}
	}
	if link := w.request("GET", "/v2/_catalog?n=2", alice).header.Get("Link"); link != `</v2/_catalog?last=alice%2Fb&n=2>; rel="next"` {
		t.Errorf("the next page is %s", link)
	}
}

func TestPing(t *testing.T) {
	w := newEnv(t)
	w.must(w.registry.Ping(t.Context()))
}

// What an address does not do is a 405 that says what it does, to every client.
func TestMethods(t *testing.T) {
	w := newEnv(t)
	digest := w.built(w.image("alice", "app"), "1.0")
	blob := w.blob("alice/app", []byte("content")).Digest
	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}
	for _, row := range []struct {
		path  string
		takes []string // what is no 405, GET, HEAD and what else is written here
		allow string
	}{
		{"/v2/", nil, "GET, HEAD"},
		{"/v2/_catalog", nil, "GET, HEAD"},
		{"/v2/alice/app/tags/list", nil, "GET, HEAD"},
		{"/v2/alice/app/manifests/1.0", []string{"PUT"}, "GET, HEAD, PUT, DELETE"},
		{"/v2/alice/app/manifests/" + digest, []string{"PUT"}, "GET, HEAD, PUT, DELETE"},
		{"/v2/alice/app/blobs/" + blob.String(), nil, "GET, HEAD, DELETE"},
		{"/v2/alice/app/referrers/" + digest, nil, "GET, HEAD"},
		{"/v2/alice/app/blobs/uploads/", []string{"POST"}, "POST"},
		{"/v2/alice/app/blobs/uploads/7d9bd42c-0e6a-4a4c-8a4b-0d1d1f0f0d0d", []string{"PUT", "PATCH", "DELETE"}, "GET, HEAD, PATCH, PUT, DELETE"},
	} {
		for _, method := range methods {
			a := w.request(method, row.path, alice)
			reads := method == "GET" || method == "HEAD"
			taken := slices.Contains(row.takes, method) || reads && strings.Contains(row.allow, "GET")
			if (a.status == http.StatusMethodNotAllowed) == taken {
				t.Errorf("%s %s: %d %s %s", method, row.path, a.status, a.code, a.text)
			}
			if taken || method == "HEAD" {
				continue
			}
			// What is there and goes another way says so.
			if allow := a.header.Get("Allow"); a.code != "UNSUPPORTED" || a.text == "" || allow != row.allow && (method != "DELETE" || allow != "GET, HEAD") {
				t.Errorf("%s %s: %d %s %q, allowed: %q", method, row.path, a.status, a.code, a.text, a.header.Get("Allow"))
			}
		}
	}
}

func TestNothingElseIsServed(t *testing.T) {
	w := newEnv(t)
	w.image("alice", "app")
	for _, path := range []string{"/v2/alice/app", "/v2/app/manifests/1", "/v2/alice/app/more/manifests/1", "/v2/alice/../bob/app/tags/list", "/v2/alice/app/referrers"} {
		w.expect("GET", path, alice, http.StatusNotFound, "NAME_UNKNOWN")
	}
}
