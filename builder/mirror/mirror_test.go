package mirror

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// What was pulled is there without its registry, and its tag is asked for again by a HEAD, which registries don't count.
func TestWhatIsKept(t *testing.T) {
	w := newWorld(t, nil)
	amd, arm := made(t, 4<<10), made(t, 4<<10)
	index := indexOf(amd, arm)
	w.remote.push(t, "a/b:1", index)
	body, err := index.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	pull := func() {
		t.Helper()
		w.wants("a/b/manifests/1", string(body))
		w.wants("a/b/manifests/"+digestOf(t, index), string(body))
		w.pullDigest("a/b", amd)
	}
	pull()
	if asked := w.remote.requests(); slices.ContainsFunc(asked, func(r string) bool { return strings.Contains(r, digestOf(t, arm)) }) {
		t.Errorf("more than was wanted was fetched: %v", asked)
	}
	pull()
	if asked := w.remote.requests(); len(asked) > 0 {
		t.Errorf("asked again: %v", asked)
	}
	w.restart()
	pull()
	if asked := w.remote.requests(); len(asked) > 0 {
		t.Errorf("asked again after a restart: %v", asked)
	}
	w.pass(recheck)
	pull()
	if asked := w.remote.requests(); !slices.Equal(asked, []string{"HEAD /v2/a/b/manifests/1"}) {
		t.Errorf("asked after the time for it: %v", asked)
	}
	path, _ := layerOf(t, amd)
	if status, part, header := w.ask(http.MethodGet, "a/b/"+path, "Range", "bytes=5-9"); status != http.StatusPartialContent || len(part) != 5 {
		t.Errorf("a part: %d, %d bytes, %v", status, len(part), header)
	}
}

func TestRegistriesThatFail(t *testing.T) {
	for what, test := range map[string]struct {
		fault  func(http.ResponseWriter, *http.Request) bool
		status int // of what is not kept
	}{
		"too many requests": {answering(http.StatusTooManyRequests), http.StatusTooManyRequests},
		"a fault":           {answering(http.StatusServiceUnavailable), http.StatusServiceUnavailable},
		"no answer":         {answering(0), 0},
		"content of another digest": {func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodHead {
				w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("1", 64))
				w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
				w.Header().Set("Content-Length", "2")
				return true
			}
			_, _ = io.WriteString(w, "{}")
			return true
		}, 0},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, nil)
			image, other := made(t, 4<<10), made(t, 4<<10)
			w.remote.push(t, "a/b:1", image)
			w.remote.push(t, "a/b:2", other)
			w.pull("a/b", "1", image)
			w.remote.fails(test.fault)
			w.pass(24 * time.Hour)
			w.pull("a/b", "1", image)
			w.refused("a/b/manifests/2", test.status)
			w.refused("a/c/manifests/1", test.status)
			w.remote.requests()
			w.pull("a/b", "1", image)
			if asked := w.remote.requests(); len(asked) > 0 {
				t.Errorf("who failed just now was asked again for what is kept: %v", asked)
			}
			w.remote.fails(nil)
			w.pass(restAfterFailure)
			w.pull("a/b", "2", other)
		})
	}
}

func TestTagsThatMove(t *testing.T) {
	w := newWorld(t, nil)
	before, after := made(t, 4<<10), made(t, 4<<10)
	w.remote.push(t, "a/b:1", before)
	w.pull("a/b", "1", before)
	w.remote.push(t, "a/b:1", after)
	w.pull("a/b", "1", before) // not looked at yet
	w.pass(recheck)
	w.remote.fails(func(rw http.ResponseWriter, r *http.Request) bool {
		return r.Method == http.MethodGet && answering(http.StatusTooManyRequests)(rw, r)
	})
	w.pull("a/b", "1", before) // it has moved, and where to can't be had
	w.remote.fails(nil)
	w.pass(recheck)
	w.pull("a/b", "1", after)
	w.pullDigest("a/b", before)
}

// Not every registry says a manifest's digest.
func TestRegistryWithoutDigests(t *testing.T) {
	w := newWorld(t, nil)
	image := made(t, 4<<10)
	w.remote.push(t, "a/b:1", image)
	store := w.remote.server.Config.Handler
	w.remote.server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		store.ServeHTTP(answer, r)
		answer.Header().Del("Docker-Content-Digest")
		for name, values := range answer.Header() {
			rw.Header()[name] = values
		}
		rw.WriteHeader(answer.Code)
		_, _ = rw.Write(answer.Body.Bytes())
	})
	w.pull("a/b", "1", image)
}

func TestWhatIsGone(t *testing.T) {
	w := newWorld(t, nil)
	image := made(t, 4<<10)
	w.remote.push(t, "a/b:1", image)
	w.pull("a/b", "1", image)
	w.pass(recheck)
	w.remote.fails(answering(http.StatusNotFound))
	w.pullDigest("a/b", image) // a registry that collects garbage is what pins are kept for
	w.refused("a/b/manifests/1", http.StatusNotFound)
	w.remote.fails(answering(0))
	w.refused("a/b/manifests/1", 0)
	w.pullDigest("a/b", image)
}

// What was public and is private now is for those with credentials, who ask the registry itself.
func TestWhatIsNotForAnyone(t *testing.T) {
	for what, fault := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"401": answering(http.StatusUnauthorized),
		"403": answering(http.StatusForbidden),
		"no token": func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/token" {
				return answering(http.StatusUnauthorized)(w, r)
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="https://ghcr.io/token",service="ghcr.io"`)
			return answering(http.StatusUnauthorized)(w, r)
		},
		"a token that is not enough": func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/token" {
				_, _ = io.WriteString(w, `{"token":"t"}`)
				return true
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="https://ghcr.io/token",service="ghcr.io",error="insufficient_scope"`)
			return answering(http.StatusUnauthorized)(w, r)
		},
	} {
		for _, by := range []string{"tag", "digest"} {
			t.Run(what+", "+by, func(t *testing.T) {
				w := newWorld(t, nil)
				image := made(t, 4<<10)
				w.remote.push(t, "a/b:1", image)
				w.pull("a/b", "1", image)
				w.pass(recheck)
				w.remote.fails(fault)
				asked := map[string]string{"tag": "1", "digest": digestOf(t, image)}[by]
				w.refused("a/b/manifests/"+asked, http.StatusForbidden)
				w.remote.fails(answering(0))
				for path := range contents(t, image) {
					w.refused("a/b/"+path, 0)
				}
				if left := append(w.files(blobsDir), w.files(recordsDir)...); len(left) > 0 {
					t.Errorf("%v is left", left)
				}
			})
		}
	}
}

// A repository's content is served for that repository alone.
func TestContentOfAnotherRepository(t *testing.T) {
	w := newWorld(t, nil)
	image := made(t, 4<<10)
	w.remote.push(t, "a/b:1", image)
	w.pull("a/b", "1", image)
	w.remote.fails(answering(0))
	for path := range contents(t, image) {
		w.refused("a/c/"+path, 0)
	}
}

func TestOnlyRunningBuildsAreAnswered(t *testing.T) {
	w := newWorld(t, nil)
	w.remote.push(t, "a/b:1", made(t, 1<<10))
	for _, credential := range [][2]string{{"", ""}, {"build.1", "wrong"}, {"build.2", "secret"}} {
		req := httptest.NewRequest(http.MethodGet, "/v2/a/b/manifests/1?ns=ghcr.io", nil)
		req.SetBasicAuth(credential[0], credential[1])
		answer := httptest.NewRecorder()
		w.mirror.ServeHTTP(answer, req)
		if answer.Code != http.StatusUnauthorized || answer.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%v: %d", credential, answer.Code)
		}
	}
	for _, path := range []string{"a/b/tags/list", "a/b/manifests/", "a/b/manifests/.x", "a/b/blobs/1", "../x/manifests/1", "A/b/manifests/1"} {
		w.refused(path, http.StatusNotFound)
	}
	if status, _, _ := w.ask(http.MethodPut, "a/b/manifests/2"); status != http.StatusMethodNotAllowed {
		t.Errorf("PUT: %d", status)
	}
	if asked := w.remote.requests(); len(asked) > 0 {
		t.Errorf("asked: %v", asked)
	}
	if w.mirror.Serves("docker.io") || !w.mirror.Serves(ghcr) {
		t.Error("it serves others than it is for")
	}
}

func TestMirrorsComeFirst(t *testing.T) {
	first, second := newRemote(t), newRemote(t)
	hosts := byHost{"first.example:5000": first, "second.example": second}
	w := newWorld(t, func(c *Config) {
		c.Mirrors = map[string][]string{ghcr: {"https://first.example:5000", "https://second.example/proxy"}}
		c.MaxBytes = 0 // they serve what is not kept, too
	})
	hosts[ghcr] = w.remote
	w.cfg.Transport = hosts
	w.restart()
	image := made(t, 4<<10)
	for host, repository := range map[*remoteRegistry]string{first: "a/b", second: "proxy/a/b", w.remote: "a/b"} {
		host.push(t, repository+":1", image)
	}
	w.pull("a/b", "1", image)
	if asked := first.requests(); !slices.Contains(asked, "HEAD /v2/a/b/manifests/1?ns=ghcr.io") {
		t.Errorf("the first was asked %v", asked)
	}
	first.fails(answering(http.StatusServiceUnavailable))
	w.pull("a/b", "1", image)
	if asked := second.requests(); !slices.Contains(asked, "HEAD /v2/proxy/a/b/manifests/1?ns=ghcr.io") {
		t.Errorf("the second was asked %v", asked)
	}
	if asked := w.remote.requests(); len(asked) > 0 {
		t.Errorf("the registry itself was asked %v", asked)
	}
	second.fails(answering(http.StatusNotFound))
	w.pull("a/b", "1", image)
	if asked := w.remote.requests(); !slices.Contains(asked, "HEAD /v2/a/b/manifests/1") {
		t.Errorf("the registry itself was asked %v", asked)
	}
}

// The operator's mirrors may be on private addresses, and nothing else that is asked.
func TestPrivateAddresses(t *testing.T) {
	astray := newRemote(t)
	inside := newRemote(t)
	image := made(t, 4<<10)
	inside.push(t, "a/b:1", image)
	w := newWorld(t, func(c *Config) {
		c.Transport = nil
		c.Refuses = func(to netip.AddrPort) bool { return to.Addr().IsLoopback() }
		c.Mirrors = map[string][]string{ghcr: {inside.server.URL}, strings.TrimPrefix(astray.server.URL, "http://"): {inside.server.URL}}
	})
	w.pull("a/b", "1", image)
	inside.fails(func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") || strings.Contains(r.URL.Path, "/manifests/moved") {
			http.Redirect(rw, r, astray.server.URL+r.URL.RequestURI(), http.StatusTemporaryRedirect)
			return true
		}
		return false
	})
	req := httptest.NewRequest(http.MethodGet, "/v2/a/b/manifests/moved?ns="+strings.TrimPrefix(astray.server.URL, "http://"), nil)
	req.SetBasicAuth("build.1", "secret")
	func() {
		defer func() {
			if fault, ok := recover().(error); !ok || !errors.Is(fault, http.ErrAbortHandler) {
				t.Error("it was answered")
			}
		}()
		w.mirror.ServeHTTP(httptest.NewRecorder(), req)
	}()
	if asked := astray.requests(); len(asked) > 0 {
		t.Errorf("a redirect, or a registry that builds may not reach, was followed: %v", asked)
	}
}
