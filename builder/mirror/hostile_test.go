package mirror

import (
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
