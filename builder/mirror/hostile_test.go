package mirror

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"
)

// An image that anyone may push tells of another's content with another size: that takes nothing from the other.
func TestSizesThatAreLies(t *testing.T) {
	w := newWorld(t, nil)
	image := made(t, 4<<10)
	w.remote.push(t, "a/b:1", image)
	w.pull("a/b", "1", image)
	for path := range contents(t, image) {
		_, d, _ := strings.Cut(path, "/")
		lie := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[{"digest":"` + d + `","size":3}]}`
		w.remote.fails(func(rw http.ResponseWriter, r *http.Request) bool {
			if !strings.HasPrefix(r.URL.Path, "/v2/evil/") {
				return false
			}
			if strings.Contains(r.URL.Path, "/blobs/") {
				return answering(http.StatusNotFound)(rw, r)
			}
			rw.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			_, _ = io.WriteString(rw, lie)
			return true
		})
		w.wants("evil/x/manifests/"+digest.FromString(lie).String(), lie)
		w.refused("evil/x/blobs/"+d, http.StatusNotFound)
	}
	w.remote.fails(answering(0))
	w.pull("a/b", "1", image)
}

// What a crash left cut is no content, whatever lists it.
func TestCutContentIsGoneAtStart(t *testing.T) {
	w := newWorld(t, nil)
	image := made(t, 4<<10)
	w.remote.push(t, "a/b:1", image)
	w.pull("a/b", "1", image)
	path, content := layerOf(t, image)
	for _, size := range []int64{0, 5} {
		if err := os.Truncate(filepath.Join(w.cfg.Dir, blobsDir, strings.TrimPrefix(path, "blobs/")), size); err != nil {
			t.Fatal(err)
		}
		w.restart()
		w.wants("a/b/"+path, content)
	}
	if err := os.Remove(filepath.Join(w.cfg.Dir, blobsDir, digestOf(t, image))); err != nil {
		t.Fatal(err)
	}
	w.restart()
	if left := append(w.files(blobsDir), w.files(recordsDir)...); len(left) > 0 {
		t.Errorf("%v is left of an image without its manifest, and nothing would ever remove it", left)
	}
}

// A fault of this machine is none of the content.
func TestContentThatCannotBeReadNow(t *testing.T) {
	w := newWorld(t, nil)
	image := made(t, 4<<10)
	w.remote.push(t, "a/b:1", image)
	w.pull("a/b", "1", image)
	w.remote.fails(answering(0))
	aside := filepath.Join(t.TempDir(), "blob")
	for path := range contents(t, image) {
		_, d, _ := strings.Cut(path, "/")
		file := filepath.Join(w.cfg.Dir, blobsDir, d)
		if err := os.Rename(file, aside); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(file, file); err != nil { // opening it is an error, as when there are too many open files
			t.Fatal(err)
		}
		w.refused("a/b/"+path, 0)
		if err := os.Rename(aside, file); err != nil {
			t.Fatal(err)
		}
	}
	w.pull("a/b", "1", image)
}

// Many servers answer everything, with a page.
func TestMirrorsThatAnswerWithAPage(t *testing.T) {
	for _, mediaType := range []string{"text/html; charset=utf-8", "application/json", "application/vnd.oci.image.manifest.v1+json"} {
		first := newRemote(t)
		w := newWorld(t, func(c *Config) { c.Mirrors = map[string][]string{ghcr: {"https://first.example"}} })
		w.cfg.Transport = byHost{"first.example": first, ghcr: w.remote}
		w.restart()
		first.fails(func(rw http.ResponseWriter, _ *http.Request) bool {
			rw.Header().Set("Content-Type", mediaType)
			_, _ = io.WriteString(rw, "<html>Welcome</html>")
			return true
		})
		image := made(t, 4<<10)
		w.remote.push(t, "a/b:1", image)
		w.pull("a/b", "1", image)
	}
}

// A clock that was wrong, as of a machine that starts without a battery, holds no tag for years.
func TestClockThatWentBack(t *testing.T) {
	w := newWorld(t, nil)
	before, after := made(t, 4<<10), made(t, 4<<10)
	w.remote.push(t, "a/b:1", before)
	w.pass(365 * 24 * time.Hour)
	w.pull("a/b", "1", before)
	w.restart()
	w.remote.push(t, "a/b:1", after)
	w.pass(-365 * 24 * time.Hour)
	w.pull("a/b", "1", after)
}

// Registries may not send the daemon to what the operator named for it alone.
func TestRedirectsToMirrors(t *testing.T) {
	inside, outside := newRemote(t), newRemote(t)
	host := strings.TrimPrefix(outside.server.URL, "http://")
	w := newWorld(t, func(c *Config) {
		c.Transport = nil
		c.Registries = append(c.Registries, host)
		c.Refuses = func(to netip.AddrPort) bool { return to.String() != host }
		c.Mirrors = map[string][]string{ghcr: {inside.server.URL}}
	})
	outside.fails(func(rw http.ResponseWriter, r *http.Request) bool {
		http.Redirect(rw, r, inside.server.URL+"/secret", http.StatusTemporaryRedirect)
		return true
	})
	req := httptest.NewRequest(http.MethodGet, "/v2/a/b/manifests/1?ns="+host, nil)
	req.SetBasicAuth("build.1", "secret")
	func() {
		defer func() { _ = recover() }()
		w.mirror.ServeHTTP(httptest.NewRecorder(), req)
	}()
	if asked := inside.requests(); len(asked) > 0 {
		t.Errorf("a registry sent it to a mirror: %v", asked)
	}
}

// A mirror that is down, or sends what is wrong, holds up no more than it must.
func TestMirrorsThatFailComeLast(t *testing.T) {
	first := newRemote(t)
	w := newWorld(t, func(c *Config) { c.Mirrors = map[string][]string{ghcr: {"https://first.example"}} })
	w.cfg.Transport = byHost{"first.example": first, ghcr: w.remote}
	w.restart()
	image, other := made(t, 4<<10), made(t, 4<<10)
	w.remote.push(t, "a/b:1", image)
	w.remote.push(t, "a/b:2", other)
	first.fails(answering(http.StatusServiceUnavailable))
	w.pull("a/b", "1", image)
	w.pull("a/b", "2", other)
	asked := first.requests()
	if answered := slices.IndexFunc(asked, func(r string) bool { return !strings.HasPrefix(r, "HEAD /v2/a/b/manifests/1") }); answered >= 0 {
		t.Errorf("it was asked %v", asked)
	}
	w.pass(restAfterFailure)
	first.fails(nil)
	third := made(t, 4<<10)
	first.push(t, "a/c:1", third)
	w.pull("a/c", "1", third)
	if asked := first.requests(); !slices.ContainsFunc(asked, func(r string) bool { return strings.HasPrefix(r, "GET /v2/a/c/blobs/") }) {
		t.Errorf("after a rest it was asked %v", asked)
	}
}

func TestMirrorsWithContentThatIsWrong(t *testing.T) {
	first := newRemote(t)
	w := newWorld(t, func(c *Config) { c.Mirrors = map[string][]string{ghcr: {"https://first.example"}} })
	w.cfg.Transport = byHost{"first.example": first, ghcr: w.remote}
	w.restart()
	image := made(t, 4<<10)
	w.remote.push(t, "a/b:1", image)
	first.push(t, "a/b:1", image)
	path, content := layerOf(t, image)
	first.fails(func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, path) {
			return false
		}
		_, _ = io.WriteString(rw, "x"+content[1:])
		return true
	})
	w.wants("a/b/manifests/1", contents(t, image)["manifests/"+digestOf(t, image)])
	w.ask(http.MethodGet, "a/b/"+path) // what was sent can't be taken back
	w.wants("a/b/"+path, content)
}

// Many that come at once fill the disk no more than one.
func TestDownloadsShareTheRoom(t *testing.T) {
	w := newWorld(t, nil)
	w.mirror.store.free = func() (int64, error) { return 150 << 10, nil }
	one, other := made(t, 100<<10), made(t, 100<<10)
	w.remote.push(t, "a/b:1", one)
	w.remote.push(t, "a/b:2", other)
	path, content := layerOf(t, one)
	otherPath, otherContent := layerOf(t, other)
	w.wants("a/b/manifests/1", contents(t, one)["manifests/"+digestOf(t, one)])
	w.wants("a/b/manifests/2", contents(t, other)["manifests/"+digestOf(t, other)])
	begun, goOn := make(chan struct{}), make(chan struct{})
	w.remote.fails(func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, path) {
			close(begun)
			<-goOn
			_, _ = io.WriteString(rw, content)
			return true
		}
		return false
	})
	var first sync.WaitGroup
	first.Go(func() {
		if status, got, _ := w.ask(http.MethodGet, "a/b/"+path); status != http.StatusOK || got != content {
			t.Errorf("status %d, %d bytes", status, len(got))
		}
	})
	<-begun
	w.wants("a/b/"+otherPath, otherContent)
	close(goOn)
	first.Wait()
	kept := strings.Join(w.files(blobsDir), " ")
	if strings.Contains(kept, strings.TrimPrefix(otherPath, "blobs/")) {
		t.Errorf("%s is kept, for which there was no room", kept)
	}
}

func TestDirectoryThatIsGone(t *testing.T) {
	w := newWorld(t, nil)
	image := made(t, 4<<10)
	w.remote.push(t, "a/b:1", image)
	w.wants("a/b/manifests/1", contents(t, image)["manifests/"+digestOf(t, image)])
	if err := os.RemoveAll(w.cfg.Dir); err != nil {
		t.Fatal(err)
	}
	path, content := layerOf(t, image)
	w.wants("a/b/"+path, content)
	w.pull("a/b", "1", image)
	w.pull("a/b", "1", image)
}

// Manifests are small on a disk of blobs, and large in memory.
func TestManifestsHaveABound(t *testing.T) {
	w := newWorld(t, nil)
	w.mirror.store.maxManifests = 1500 // three
	images := map[string]v1.Image{}
	for _, repository := range []string{"a/one", "a/two", "a/three", "a/four", "a/five"} {
		images[repository] = made(t, 1<<10)
		w.remote.push(t, repository+":1", images[repository])
		w.pull(repository, "1", images[repository])
		w.pass(time.Second)
	}
	kept, err := w.mirror.ListMirrored(t.Context())
	if err != nil || len(kept) == 0 || len(kept) > 3 || kept[0].Name != ghcr+"/a/five" {
		t.Errorf("%+v, %v", kept, err)
	}
}

// What registries answer may be anything.
func TestAnswersWithoutAnEnd(t *testing.T) {
	w := newWorld(t, nil)
	image := made(t, 4<<10)
	w.remote.push(t, "a/b:1", image)
	path, content := layerOf(t, image)
	endless := func(rw http.ResponseWriter) {
		for chunk := make([]byte, 1<<16); ; {
			if _, err := rw.Write(chunk); err != nil {
				return
			}
		}
	}
	zipped := func(text string) string {
		var to bytes.Buffer
		z := gzip.NewWriter(&to)
		_, _ = io.WriteString(z, text)
		_ = z.Close()
		return to.String()
	}
	w.remote.fails(func(rw http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.HasSuffix(r.URL.Path, "/manifests/endless") && r.Method == http.MethodHead:
			rw.Header().Set("Docker-Content-Digest", digestOf(t, image))
			rw.Header().Set("Content-Length", "10")
			return true
		case strings.HasPrefix(r.URL.Path, "/v2/endless/"):
			if r.Method == http.MethodHead {
				rw.Header().Set("Content-Length", "10")
				return true
			}
			endless(rw)
			return true
		case strings.HasSuffix(r.URL.Path, path) && r.Header.Get("Accept-Encoding") != "":
			rw.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(rw, zipped(content))
			return true
		}
		return false
	})
	w.refused("endless/x/manifests/"+digestOf(t, image), 0)
	w.pull("a/b", "1", image)
	w.wants("a/b/manifests/endless", contents(t, image)["manifests/"+digestOf(t, image)])
	lie := `{"schemaVersion":2,"layers":[{"digest":"` + strings.TrimPrefix(path, "blobs/") + `","size":5}]}`
	w.remote.fails(func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			endless(rw)
			return true
		}
		rw.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		_, _ = io.WriteString(rw, lie)
		return true
	})
	w.wants("lie/x/manifests/"+digest.FromString(lie).String(), lie)
	w.refused("lie/x/"+path, 0)
	if left := w.files(blobsDir); slices.ContainsFunc(left, func(name string) bool { return strings.HasPrefix(name, tempPrefix) }) {
		t.Errorf("%v is left", left)
	}
	w.remote.fails(answering(0))
	w.pull("a/b", "1", image)
}

func TestOtherAddresses(t *testing.T) {
	w := newWorld(t, nil)
	image := made(t, 4<<10)
	w.remote.push(t, "a/b:1", image)
	for _, target := range []string{
		"/v2/a/b/manifests/1?ns=127.0.0.1", "/v2/a/b/manifests/1?ns=ghcr.io:443", "/v2/a/b/manifests/1?ns=evil.example%2Fghcr.io", "/v2/a/b/manifests/1?ns=GHCR.IO", "/v2/a/b/manifests/1?ns=user@ghcr.io",
		"/v2/a/b/manifests/1?ns=evil.example&ns=ghcr.io", "/v2/%2e%2e/%2e%2e/manifests/1?ns=ghcr.io", "/v2/a%2f..%2fb/manifests/1?ns=ghcr.io", "/v2/a/b%3fns=x/manifests/1?ns=ghcr.io", "/v2/a/b/manifests/1%2f..%2f2?ns=ghcr.io",
		"/v2/a/b/manifests/sha256:..%2f..%2fx?ns=ghcr.io", "/v2/a/b/blobs/sha256:" + strings.Repeat("g", 64) + "?ns=ghcr.io", "/v2/a/b/blobs/uploads/?ns=ghcr.io", "/v2/a/b%00/manifests/1?ns=ghcr.io", "//evil.example/v2/a/b/manifests/1?ns=ghcr.io",
	} {
		req := httptest.NewRequest(http.MethodGet, target, nil)
		req.SetBasicAuth("build.1", "secret")
		answer := httptest.NewRecorder()
		w.mirror.ServeHTTP(answer, req)
		if answer.Code != http.StatusNotFound {
			t.Errorf("%s: %d", target, answer.Code)
		}
	}
	if asked := w.remote.requests(); len(asked) > 0 {
		t.Errorf("asked %v", asked)
	}
}

// Large registries want a token of a server that may fail on its own, and don't all say how long one holds.
func TestTokensThatFail(t *testing.T) {
	w := newWorld(t, nil)
	images := []v1.Image{made(t, 4<<10), made(t, 4<<10)}
	w.remote.push(t, "a/b:1", images[0])
	w.remote.push(t, "a/b:2", images[1])
	var mu sync.Mutex
	token, failing := "one", true
	set := func(t string, fails bool) {
		mu.Lock()
		defer mu.Unlock()
		token, failing = t, fails
	}
	w.remote.fails(func(rw http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.URL.Path == "/token" && failing:
			rw.WriteHeader(http.StatusBadGateway)
			return true
		case r.URL.Path == "/token":
			_, _ = io.WriteString(rw, `{"token":"`+token+`"}`)
			return true
		case r.Header.Get("Authorization") == "Bearer "+token:
			return false
		}
		rw.Header().Set("WWW-Authenticate", `Bearer realm="https://ghcr.io/token",service="ghcr.io"`)
		rw.WriteHeader(http.StatusUnauthorized)
		return true
	})
	w.ask(http.MethodGet, "a/b/manifests/1")
	set("one", false)
	w.pull("a/b", "1", images[0])
	w.pass(recheck)
	set("two", false)
	w.pull("a/b", "1", images[0])
	w.pull("a/b", "2", images[1])
}
