package mirror

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/fandoghpaas/fandogh/internal/testkit"
)

func TestTransfersThatBreakOff(t *testing.T) {
	w := newWorld(t, nil)
	image := made(t, 100<<10)
	w.remote.push(t, "a/b:1", image)
	path, content := layerOf(t, image)
	w.wants("a/b/manifests/1", contents(t, image)["manifests/"+digestOf(t, image)])
	goesOn := false
	w.remote.fails(func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, path) {
			return false
		}
		if goesOn && r.Header.Get("Range") != "" {
			http.ServeContent(rw, r, "", time.Time{}, strings.NewReader(content))
			return true
		}
		rw.Header().Set("Content-Length", strconv.Itoa(len(content)))
		_, _ = io.WriteString(rw, content[:50<<10])
		return true
	})
	w.refused("a/b/"+path, 0)
	if left := w.files(blobsDir); slices.ContainsFunc(left, func(name string) bool { return strings.HasPrefix(name, tempPrefix) }) {
		t.Errorf("%v is left", left)
	}
	goesOn = true
	w.wants("a/b/"+path, content)
	w.remote.fails(answering(0))
	w.wants("a/b/"+path, content)
}

func TestWrongContentIsNeverWhole(t *testing.T) {
	w := newWorld(t, nil)
	image := made(t, 10<<10)
	w.remote.push(t, "a/b:1", image)
	path, content := layerOf(t, image)
	w.wants("a/b/manifests/1", contents(t, image)["manifests/"+digestOf(t, image)])
	w.remote.fails(func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, path) {
			return false
		}
		_, _ = io.WriteString(rw, content[:len(content)-1]+"x")
		return true
	})
	if status, got, _ := w.ask(http.MethodGet, "a/b/"+path); status != 0 || len(got) >= len(content) {
		t.Errorf("status %d, %d bytes", status, len(got))
	}
	w.remote.fails(nil)
	w.wants("a/b/"+path, content)
	file := filepath.Join(w.cfg.Dir, blobsDir, strings.TrimPrefix(path, "blobs/"))
	if err := os.WriteFile(file, []byte("y"+content[1:]), 0o600); err != nil { // the disk changes it
		t.Fatal(err)
	}
	if status, got, _ := w.ask(http.MethodGet, "a/b/"+path); status != 0 || len(got) >= len(content) {
		t.Errorf("damaged on disk: status %d, %d bytes", status, len(got))
	}
	w.wants("a/b/"+path, content)
	if err := os.Truncate(file, 5); err != nil {
		t.Fatal(err)
	}
	w.wants("a/b/"+path, content)
	if err := os.WriteFile(filepath.Join(w.cfg.Dir, blobsDir, digestOf(t, image)), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.pull("a/b", "1", image)
}

// A build that ends leaves what it began, and many that begin at once fetch once.
func TestDownloadsAreShared(t *testing.T) {
	w := newWorld(t, nil)
	image := made(t, 100<<10)
	w.remote.push(t, "a/b:1", image)
	path, content := layerOf(t, image)
	w.wants("a/b/manifests/1", contents(t, image)["manifests/"+digestOf(t, image)])
	w.remote.requests()
	goOn := make(chan struct{})
	w.remote.fails(func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, path) {
			return false
		}
		_, _ = io.WriteString(rw, content[:50<<10])
		rw.(http.Flusher).Flush()
		<-goOn
		_, _ = io.WriteString(rw, content[50<<10:])
		return true
	})
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.server.URL+"/v2/a/b/"+path+"?ns=ghcr.io", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("build.1", "secret")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, 40<<10)); err != nil {
		t.Fatal(err)
	}
	leave()
	_ = resp.Body.Close()
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			if status, got, _ := w.ask(http.MethodGet, "a/b/"+path); status != http.StatusOK || got != content {
				t.Errorf("status %d, %d bytes", status, len(got))
			}
		})
	}
	close(goOn)
	all.Wait()
	if asked := w.remote.requests(); len(asked) != 1 {
		t.Errorf("asked %v", asked)
	}
	testkit.Eventually(t, "the download is kept", func() bool { return slices.Contains(w.files(blobsDir), strings.TrimPrefix(path, "blobs/")) })
}

func TestFullDisk(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.LeaveFree = 1 << 60 })
	image := made(t, 4<<10)
	w.remote.push(t, "a/b:1", image)
	w.pull("a/b", "1", image)
	w.pull("a/b", "1", image)
	if kept := w.files(blobsDir); len(kept) != 1 { // the manifest
		t.Errorf("%v is kept", kept)
	}
}

func TestWhatDoesNotFit(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxBytes = 250 << 10 })
	layer := made(t, 50<<10)
	shared, err := layer.Layers()
	if err != nil {
		t.Fatal(err)
	}
	one, err := mutate.AppendLayers(made(t, 90<<10), shared...)
	if err != nil {
		t.Fatal(err)
	}
	two, err := mutate.AppendLayers(made(t, 90<<10), shared...)
	if err != nil {
		t.Fatal(err)
	}
	huge := made(t, 300<<10)
	w.remote.push(t, "a/one:1", one)
	w.remote.push(t, "a/two:1", two)
	w.remote.push(t, "a/huge:1", huge)
	w.remote.push(t, "a/three:1", layer)
	w.pull("a/one", "1", one)
	w.pass(time.Minute)
	w.pull("a/two", "1", two) // with a layer of the first
	w.pass(time.Minute)
	w.pull("a/huge", "1", huge) // passes through
	w.pass(time.Minute)
	w.pull("a/one", "1", one)
	w.pass(time.Minute)
	w.pull("a/three", "1", layer)
	images, err := w.mirror.ListMirrored(t.Context())
	if err != nil || len(images) != 4 || images[0].Name != "ghcr.io/a/three" || images[3].Name != "ghcr.io/a/two" || !slices.Equal(images[0].Tags, []string{"1"}) {
		t.Fatalf("%+v, %v", images, err)
	}
	four := made(t, 90<<10)
	w.remote.push(t, "a/four:1", four)
	w.pull("a/four", "1", four)
	w.remote.fails(answering(0))
	w.pull("a/one", "1", one)
	w.pull("a/four", "1", four)
	w.refused("a/two/manifests/1", 0)
	if w.mirror.store.total > w.cfg.MaxBytes {
		t.Errorf("%d bytes are kept", w.mirror.store.total)
	}
	total, files := w.mirror.store.total, w.files(blobsDir)
	if err := os.WriteFile(filepath.Join(w.cfg.Dir, blobsDir, tempPrefix+"x"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.cfg.Dir, recordsDir, "x.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.restart()
	if w.mirror.store.total != total || !slices.Equal(w.files(blobsDir), files) {
		t.Errorf("after a restart %d bytes in %v, before %d in %v", w.mirror.store.total, w.files(blobsDir), total, files)
	}
	w.cfg.MaxBytes = 150 << 10
	w.restart()
	if w.mirror.store.total > w.cfg.MaxBytes {
		t.Errorf("%d bytes are kept with less room", w.mirror.store.total)
	}
}
