package registry_test

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog/registry"
)

// begin begins an upload as alice, and returns its address.
func (e *env) begin(repository string) string {
	e.t.Helper()
	return e.expect("POST", "/v2/"+repository+"/blobs/uploads/", alice, http.StatusAccepted, "").header.Get("Location")
}

// patch sends more of an upload as alice, and returns its next address.
func (e *env) patch(at, content string) string {
	e.t.Helper()
	a := e.send(http.MethodPatch, at, "application/octet-stream", []byte(content))
	if a.status != http.StatusAccepted {
		e.t.Fatalf("send more: %d %s", a.status, a.body)
	}
	return a.header.Get("Location")
}

func TestUploadsOutliveARestart(t *testing.T) {
	w := newEnv(t)
	at := w.patch(w.begin("alice/app"), "first half, ")
	w.restart()
	at = w.patch(at, "second half")
	w.restart()
	whole := "first half, second half"
	if a := w.put(at+"&digest="+digestOf([]byte(whole)), "application/octet-stream", nil); a.status != http.StatusCreated {
		t.Fatalf("end the upload: %d %s", a.status, a.body)
	}
	if got := w.expect("GET", "/v2/alice/app/blobs/"+digestOf([]byte(whole)), alice, http.StatusOK, ""); string(got.body) != whole {
		t.Errorf("got %q", got.body)
	}
}

// uploads returns the directories of unfinished uploads to an image.
func (e *env) uploads(repository string) string {
	return filepath.Join(e.dir, "registry", "docker", "registry", "v2", "repositories", filepath.FromSlash(repository), "_uploads")
}

// ageUploads makes every unfinished upload to an image look left for longer than the grace time.
func (e *env) ageUploads(repository string) {
	e.t.Helper()
	old := time.Now().Add(-2 * grace)
	e.must(filepath.WalkDir(e.uploads(repository), func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chtimes(path, old, old))
	}))
}

func TestCollectTakesAbandonedUploads(t *testing.T) {
	w := newEnv(t)
	w.manifest("alice/app", "1.0", "layer", nil)
	const abandoned = "left in the middle"
	w.patch(w.begin("alice/app"), abandoned)
	w.patch(w.begin("alice/leak"), abandoned) // of no image that the catalog knows
	w.begin("alice/leak")
	going, resumed, asked := w.patch(w.begin("alice/app"), "goes on, "), w.begin("alice/app"), w.begin("alice/app")
	fresh := w.collect(registry.CollectOptions{})
	if fresh.Uploads.Blobs != 0 {
		t.Errorf("uploads that just began went: %+v", fresh)
	}
	w.ageUploads("alice/app")
	w.ageUploads("alice/leak")
	going, resumed = w.patch(going, "and on"), w.patch(resumed, "after long")
	w.expect("GET", asked, alice, http.StatusNoContent, "")
	dry := w.collect(registry.CollectOptions{DryRun: true})
	// Of what was received, the library keeps a record or two of its own.
	if dry.Uploads.Blobs != 3 || dry.Uploads.Bytes < 2*int64(len(abandoned)) || dry.Freed.Blobs != 0 {
		t.Errorf("a dry run tells %+v", dry)
	}
	if left := w.entries(w.uploads("alice/leak")); len(left) != 2 {
		t.Errorf("a dry run left %v", left)
	}
	if done := w.collect(registry.CollectOptions{}); done != dry {
		t.Errorf("done %+v, announced %+v", done, dry)
	}
	if _, err := os.Stat(filepath.Dir(w.uploads("alice/leak"))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory of an image that never was is still there: %v", err)
	}
	if left := w.entries(w.uploads("alice/app")); len(left) != 3 {
		t.Errorf("of the uploads that go on are left %v", left)
	}
	w.expect("GET", "/v2/alice/app/manifests/1.0", alice, http.StatusOK, "")
	for at, content := range map[string]string{going: "goes on, and on", resumed: "after long"} {
		if a := w.put(at+"&digest="+digestOf([]byte(content)), "application/octet-stream", nil); a.status != http.StatusCreated {
			t.Errorf("end an upload: %d %s", a.status, a.body)
		}
	}
}

// The directories that uploads made go with them.
func TestUploadsLeaveNoDirectories(t *testing.T) {
	w := newEnv(t)
	_, err := w.accounts.CreateUser(t.Context(), "carol", password, false)
	w.must(err)
	w.expect("POST", "/v2/carol/app/blobs/uploads/", "carol:"+password, http.StatusAccepted, "")
	w.ageUploads("carol/app")
	if done := w.collect(registry.CollectOptions{}); done.Uploads.Blobs != 1 {
		t.Errorf("collected %+v", done)
	}
	if _, err := os.Stat(filepath.Dir(filepath.Dir(w.uploads("carol/app")))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the namespace's directory is still there: %v", err)
	}
	w.expect("POST", "/v2/carol/app/blobs/uploads/", "carol:"+password, http.StatusAccepted, "")
}

// No user fills the disk with what is only begun.
func TestUploadsOfOneUserAreBounded(t *testing.T) {
	w := newEnv(t)
	var last, another string
	refused := answer{}
	for range 1000 {
		a := w.request("POST", "/v2/alice/app/blobs/uploads/", alice)
		if a.status != http.StatusAccepted {
			refused = a
			break
		}
		last, another = a.header.Get("Location"), last
	}
	if refused.status != http.StatusTooManyRequests || refused.code != "TOOMANYREQUESTS" || !strings.Contains(refused.text, "unfinished uploads") {
		t.Fatalf("after many: %d %s %q", refused.status, refused.code, refused.text)
	}
	w.expect("POST", "/v2/bob/app/blobs/uploads/", bob, http.StatusAccepted, "")
	w.restart()
	w.expect("POST", "/v2/alice/other/blobs/uploads/", alice, http.StatusTooManyRequests, "TOOMANYREQUESTS")
	w.expect("DELETE", last, alice, http.StatusNoContent, "")
	w.begin("alice/other")
	w.expect("POST", "/v2/alice/app/blobs/uploads/", alice, http.StatusTooManyRequests, "TOOMANYREQUESTS")
	if a := w.put(another+"&digest="+digestOf(nil), "application/octet-stream", nil); a.status != http.StatusCreated {
		t.Errorf("end one: %d %s", a.status, a.body)
	}
	w.begin("alice/app")
	w.ageUploads("alice/app")
	w.collect(registry.CollectOptions{})
	w.begin("alice/app")
}

// What arrived of a request that a full disk ended does not keep the client from sending the same again.
func TestUploadGoesOnAfterAFullDisk(t *testing.T) {
	w := newEnv(t)
	dir := w.config.Dir
	full := filepath.Join(t.TempDir(), "full")
	w.must(os.Mkdir(full, 0o700))
	w.must(syscall.Mount("tmpfs", full, "tmpfs", 0, "size=1m"))
	t.Cleanup(func() { _ = syscall.Unmount(full, syscall.MNT_DETACH) })
	w.must(os.CopyFS(full, os.DirFS(dir)))
	w.must(syscall.Mount(full, dir, "", syscall.MS_BIND, ""))
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })

	at := w.patch(w.begin("alice/app"), "first half, ")
	rest := strings.Repeat("second half ", 200<<10)
	for _, method := range []string{http.MethodPatch, http.MethodPut, http.MethodPatch} {
		query := ""
		if method == http.MethodPut {
			query = "&digest=" + digestOf([]byte("first half, "+rest))
		}
		if a := w.send(method, at+query, "application/octet-stream", []byte(rest)); a.status != http.StatusServiceUnavailable || !strings.Contains(string(a.body), "disk is full") {
			t.Fatalf("%s onto a full disk: %d %s", method, a.status, a.body)
		}
	}
	told := w.expect("GET", strings.SplitN(at, "?", 2)[0], alice, http.StatusNoContent, "").header.Get("Range")
	if want := "0-11"; told != want {
		t.Errorf("the upload has %s, want %s", told, want)
	}
	w.must(syscall.Mount("tmpfs", full, "tmpfs", syscall.MS_REMOUNT, "size=8m"))
	whole := "first half, " + rest
	at = w.patch(at, rest)
	if a := w.put(at+"&digest="+digestOf([]byte(whole)), "application/octet-stream", nil); a.status != http.StatusCreated {
		t.Fatalf("end the upload: %d %s", a.status, a.body)
	}
	if got := w.expect("GET", "/v2/alice/app/blobs/"+digestOf([]byte(whole)), alice, http.StatusOK, ""); string(got.body) != whole {
		t.Errorf("got %d bytes", len(got.body))
	}
}
