package registry_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/registry"
)

// allowance is an admission of so many bytes, in all.
type allowance struct{ left int64 }

func (a *allowance) ReserveBeside(_ context.Context, namespace string, beside, contents map[string]int64, more catalog.Amounts) (func(), error) {
	used := int64(1<<40) - a.left
	for _, size := range beside {
		used += size
	}
	for _, size := range contents {
		more.Bytes += size
	}
	return func() {}, catalog.Quota{Bytes: 1 << 40}.Check(namespace, catalog.Amounts{Bytes: used}, more)
}

// An upload that comes to more than the namespace may have is refused while it comes, and what came of that part does not stay.
func TestUploadsEndAtTheQuota(t *testing.T) {
	w := newEnv(t)
	allowed := &allowance{left: 1 << 20}
	w.config.Admission = allowed
	w.restart()
	// stream sends a body whose length is not told, and returns how much of it was asked for.
	stream := func(method, at string, length int64) (answer, int64) {
		t.Helper()
		body := &counted{Reader: io.LimitReader(zeros{}, length)}
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+w.host+strings.TrimPrefix(at, "http://"+w.host), body)
		w.must(err)
		req.SetBasicAuth("alice", password)
		resp, err := http.DefaultClient.Do(req)
		w.must(err)
		text, err := io.ReadAll(resp.Body)
		w.must(err)
		w.must(resp.Body.Close())
		return answer{status: resp.StatusCode, header: resp.Header, body: text}, body.n
	}
	refused := func(what string, a answer) {
		t.Helper()
		if a.status != http.StatusForbidden || !strings.Contains(string(a.body), `"DENIED"`) || !strings.Contains(string(a.body), "and its quota is 1TiB; delete versions") {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	at := w.begin("alice/app")
	a, sent := stream(http.MethodPatch, at, 1<<30)
	refused("more than there is room for", a)
	if sent > 64<<20 {
		t.Errorf("%d bytes were taken before it was refused", sent)
	}
	refused("a length that is told", w.send(http.MethodPatch, w.begin("alice/app"), "application/octet-stream", make([]byte, 1<<20+1)))
	refused("with the end of an upload", w.put(w.begin("alice/app")+"&digest="+digestOf(make([]byte, 1<<20+1)), "application/octet-stream", make([]byte, 1<<20+1)))

	half := string(make([]byte, 1<<19))
	at = w.patch(w.begin("alice/app"), half)
	a, _ = stream(http.MethodPatch, at, 1<<19+1)
	refused("the second part of an upload", a)
	if a := w.put(at+"&digest="+digestOf([]byte(half)), "application/octet-stream", nil); a.status != http.StatusCreated {
		t.Errorf("what was taken: %d %s", a.status, a.body)
	}
	allowed.left += 1<<19 + 64<<10 // that counts, with its directories
	at = w.begin("alice/app")
	if a, _ := stream(http.MethodPatch, at, 1<<20); a.status != http.StatusAccepted {
		t.Errorf("as much as there is room for: %d %s", a.status, a.body)
	}
	allowed.left = 1 << 40
	if a, _ := stream(http.MethodPatch, w.begin("alice/app"), 100<<20); a.status != http.StatusAccepted {
		t.Errorf("much, where there is room: %d %s", a.status, a.body)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type counted struct {
	io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// What was uploaded and no manifest names counts, as blobs and as uploads that never end: whoever sends no manifest would have any amount of it.
func TestUploadsCountBeforeTheirManifest(t *testing.T) {
	t.Run("at once", func(t *testing.T) { uploadsCount(t, func(*env) {}) })
	t.Run("after a restart", func(t *testing.T) { uploadsCount(t, (*env).restart) })
}

func uploadsCount(t *testing.T, meanwhile func(*env)) {
	w := newEnv(t)
	w.config.Admission = &allowance{left: 1 << 20}
	w.restart()
	blob := func(letter string) []byte { return []byte(strings.Repeat(letter, 400<<10)) }
	end := func(letter string) int {
		return w.put(w.begin("alice/app")+"&digest="+digestOf(blob(letter)), "application/octet-stream", blob(letter)).status
	}
	for _, letter := range []string{"a", "b"} {
		if status := end(letter); status != http.StatusCreated {
			t.Fatalf("%s, for which there is room: status %d", letter, status)
		}
	}
	meanwhile(w)
	if status := end("c"); status != http.StatusForbidden {
		t.Errorf("a third blob without a manifest: status %d", status)
	}
	w.age()
	w.collect(registry.CollectOptions{Grace: grace})
	for n := range 2 {
		if a := w.send(http.MethodPatch, w.begin("alice/app"), "application/octet-stream", blob("d")); a.status != http.StatusAccepted {
			t.Fatalf("upload %d, for which there is room: status %d", n, a.status)
		}
	}
	meanwhile(w)
	a := w.send(http.MethodPatch, w.begin("alice/app"), "application/octet-stream", blob("e"))
	if a.status != http.StatusForbidden || !strings.Contains(string(a.body), "belongs to no version counts until it is collected") {
		t.Errorf("a third upload that never ends: %d %s", a.status, a.body)
	}
}

// What belongs to a version is none of it, also after a restart; nor is what was cancelled, or collected while no daemon ran.
func TestUploadsCountNoMoreAfterTheirManifest(t *testing.T) {
	w := newEnv(t)
	allowed := &allowance{left: 1 << 30}
	w.config.Admission = allowed
	w.restart()
	w.push(w.archive(), "alice/app:v1", alice)
	w.expect("DELETE", w.patch(w.begin("alice/app"), "some"), alice, http.StatusNoContent, "")
	pending := func() (names []string) {
		w.must(filepath.WalkDir(filepath.Join(w.config.Dir, "pending"), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && !d.IsDir() {
				names = append(names, d.Name())
			}
			return err
		}))
		return names
	}
	if left := pending(); len(left) != 0 {
		t.Errorf("pending are %q", left)
	}
	blob := []byte("belongs to nothing")
	if a := w.put(w.begin("alice/app")+"&digest="+digestOf(blob), "application/octet-stream", blob); a.status != http.StatusCreated {
		t.Fatal(a.status)
	}
	if left := pending(); len(left) != 1 {
		t.Errorf("pending are %q", left)
	}
	w.must(os.RemoveAll(filepath.Join(w.config.Dir, "docker")))
	w.restart()
	if left := pending(); len(left) != 0 {
		t.Errorf("of what is gone pending are %q", left)
	}
}
