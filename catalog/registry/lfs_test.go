package registry_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/registry"
)

func oidOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// large stores a content as a Git LFS object of an image.
func (e *env) large(image catalog.Image, content string) (oid string) {
	e.t.Helper()
	oid = oidOf(content)
	e.must(e.registry.StoreLFS(e.t.Context(), oid, int64(len(content)), strings.NewReader(content)))
	e.must(e.store.AddLFSObject(e.t.Context(), image.ID, catalog.LFSObject{OID: oid, Size: int64(len(content)), Blob: "x"}))
	return oid
}

// largeContent returns what is stored of an object, and whether anything is.
func (e *env) largeContent(oid string) (string, bool) {
	e.t.Helper()
	file, err := e.registry.OpenLFS(oid)
	if catalog.CodeOf(err) == catalog.NotFound {
		return "", false
	}
	e.must(err)
	defer file.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(file)
	e.must(err)
	return string(text), true
}

// received lists what is left of objects that did not become whole.
func (e *env) received() []string {
	e.t.Helper()
	return e.entries(filepath.Join(e.dir, "registry", "received"))
}

func TestStoreLFS(t *testing.T) {
	e := newEnv(t)
	const content = "a large file"
	broken := errors.New("the client hung up")
	for name, c := range map[string]struct {
		oid  string
		size int64
		from io.Reader
		code catalog.Code
		err  error
	}{
		"another content":   {oid: oidOf(content), size: int64(len(content)), from: strings.NewReader("A LARGE FILE"), code: catalog.Invalid},
		"too short":         {oid: oidOf(content), size: int64(len(content)), from: strings.NewReader(content[1:]), code: catalog.Invalid},
		"too long":          {oid: oidOf(content), size: int64(len(content)), from: strings.NewReader(content + "."), code: catalog.Invalid},
		"of a smaller size": {oid: oidOf(content), size: 3, from: strings.NewReader(content), code: catalog.Invalid},
		"interrupted":       {oid: oidOf(content), size: int64(len(content)), from: io.MultiReader(strings.NewReader(content[:5]), iotest.ErrReader(broken)), err: broken},
		"interrupted late":  {oid: oidOf(content), size: int64(len(content)), from: io.MultiReader(strings.NewReader(content), iotest.ErrReader(broken)), err: broken},
		"no OID":            {oid: "../" + oidOf(content)[3:], size: 1, from: strings.NewReader("x"), code: catalog.Invalid},
		"in upper case":     {oid: strings.ToUpper(oidOf(content)), size: int64(len(content)), from: strings.NewReader(content), code: catalog.Invalid},
	} {
		err := e.registry.StoreLFS(t.Context(), c.oid, c.size, c.from)
		if c.err != nil && !errors.Is(err, c.err) || c.err == nil && catalog.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, there := e.largeContent(oidOf(content)); there || len(e.received()) > 0 {
		t.Errorf("something was left: %v", e.received())
	}
	for range 2 {
		e.must(e.registry.StoreLFS(t.Context(), oidOf(content), int64(len(content)), iotest.OneByteReader(strings.NewReader(content))))
	}
	e.must(e.registry.StoreLFS(t.Context(), oidOf(""), 0, strings.NewReader("")))
	if got, there := e.largeContent(oidOf(content)); !there || got != content || len(e.received()) > 0 {
		t.Errorf("stored %q, %t; left %v", got, there, e.received())
	}
	// A wrong content harms none that is there, and is refused all the same.
	if err := e.registry.StoreLFS(t.Context(), oidOf(content), int64(len(content)), strings.NewReader("A LARGE FILE")); catalog.CodeOf(err) != catalog.Invalid {
		t.Errorf("again, with another content: %v", err)
	}
	if got, _ := e.largeContent(oidOf(content)); got != content {
		t.Errorf("it became %q", got)
	}
}

// Objects stay while an image has them, beside an image's blobs and without their rights.
func TestCollectKeepsLFSObjects(t *testing.T) {
	e := newEnv(t)
	app, other := e.image("alice", "app"), e.image("alice", "other")
	kept, shared, gone := e.large(app, "of app"), e.large(app, "of both"), e.large(other, "of other")
	e.large(other, "of both")
	unclaimed := oidOf("of none")
	e.must(e.registry.StoreLFS(t.Context(), unclaimed, int64(len("of none")), strings.NewReader("of none")))
	if e.hasBlob("of app") || e.request("GET", "/v2/alice/app/blobs/sha256:"+kept, alice).status != http.StatusNotFound {
		t.Error("the registry serves an object as a blob")
	}
	if done := e.collect(registry.CollectOptions{}); done.Freed.Blobs != 0 {
		t.Errorf("fresh objects went: %+v", done)
	}
	e.must(e.store.DeleteImage(t.Context(), other.ID))
	e.age()
	if done := e.collect(registry.CollectOptions{}); done.Freed.Blobs != 2 || done.Kept.Blobs != 2 {
		t.Errorf("collected %+v", done)
	}
	for oid, want := range map[string]bool{kept: true, shared: true} {
		if _, there := e.largeContent(oid); there != want {
			t.Errorf("object %s is there: %t, want %t", oid, there, want)
		}
	}
	for _, oid := range []string{gone, unclaimed} {
		trash := filepath.Join(e.dir, "registry", "trash", "sha256:"+oid)
		if _, err := os.Stat(trash); err != nil {
			t.Error(err)
		}
	}
	// What is needed again comes back, by a collection as by who asks for it.
	e.must(e.store.AddLFSObject(t.Context(), app.ID, catalog.LFSObject{OID: gone, Size: 8, Blob: "x"}))
	e.collect(registry.CollectOptions{})
	for _, oid := range []string{gone, unclaimed} {
		if _, there := e.largeContent(oid); !there {
			t.Errorf("object %s did not come back", oid)
		}
	}
}

// An upload of what is about to be collected keeps it.
func TestStoreLFSWhileCollecting(t *testing.T) {
	e := newEnv(t)
	app := e.image("alice", "app")
	const content = "again and again"
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				e.age()
				if _, err := e.registry.Collect(t.Context(), registry.CollectOptions{Grace: grace}); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for range 20 {
		e.must(e.registry.StoreLFS(t.Context(), oidOf(content), int64(len(content)), strings.NewReader(content)))
	}
	e.large(app, content)
	close(stop)
	wg.Wait()
	e.age()
	e.collect(registry.CollectOptions{})
	if _, there := e.largeContent(oidOf(content)); !there {
		t.Error("an object that an image has went")
	}
}

// What a crash left of an upload goes when it is old.
func TestCollectRemovesUnfinishedLFSObjects(t *testing.T) {
	e := newEnv(t)
	e.large(e.image("alice", "app"), "x") // creates the directory
	dir := filepath.Join(e.dir, "registry", "received")
	for name, age := range map[string]time.Duration{"old": 2 * grace, "new": 0} {
		path := filepath.Join(dir, name)
		e.must(os.WriteFile(path, []byte("half"), 0o600))
		e.must(os.Chtimes(path, time.Now().Add(-age), time.Now().Add(-age)))
	}
	for _, dry := range []bool{true, false} {
		if done := e.collect(registry.CollectOptions{DryRun: dry}); done.Uploads != (registry.BlobCount{Blobs: 1, Bytes: 4}) {
			t.Errorf("dry %t: %+v", dry, done.Uploads)
		}
	}
	if left := e.received(); len(left) != 1 || left[0] != "new" {
		t.Errorf("left %v", left)
	}
}
