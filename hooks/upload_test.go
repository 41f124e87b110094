package hooks_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
	"github.com/fandoghpaas/fandogh/hooks"
	"github.com/fandoghpaas/fandogh/hooks/archive"
)

// uploadEnv is an env with real repositories that takes uploads.
type uploadEnv struct {
	*env
	dir     string
	repos   *repository.Repositories
	uploads *hooks.Uploads
	now     time.Time
}

func newUploadEnv(t *testing.T) *uploadEnv {
	t.Helper()
	d := &uploadEnv{env: newEnv(t), dir: t.TempDir(), now: time.Unix(1_700_000_000, 0)}
	var err error
	if d.repos, err = repository.Open(filepath.Join(d.dir, "repos"), objects.NewBudget(), nil); err != nil {
		t.Fatal(err)
	}
	config := d.config
	config.Sources = d.repos
	d.hooks = hooks.New(config)
	d.uploads, err = hooks.NewUploads(d.hooks, hooks.UploadConfig{
		Writer: d.repos, SpoolDir: filepath.Join(d.dir, "uploads"), Now: func() time.Time { return d.now },
		Limits: archive.Limits{Bytes: 512 << 20, Unpacked: 2 << 30, Entries: 100_000},
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func tarFiles(t *testing.T, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// upload makes a version of an archive, as alice.
func (u *uploadEnv) upload(version string, archive []byte) (catalog.QueuedBuild, error) {
	u.t.Helper()
	up, err := u.uploads.Receive(u.t.Context(), u.image, bytes.NewReader(archive))
	if err != nil {
		return catalog.QueuedBuild{}, err
	}
	defer func() {
		if err := up.Close(); err != nil {
			u.t.Error(err)
		}
	}()
	return up.Submit(u.t.Context(), catalog.NewUpload{
		Version: version, Identity: catalog.Identity{User: catalog.User{ID: u.image.OwnerID, Name: "alice"}},
	})
}

func (u *uploadEnv) tags() map[string]string {
	u.t.Helper()
	tags, err := u.repos.Tags(u.t.Context(), u.image.Ref)
	if err != nil {
		u.t.Fatal(err)
	}
	commits := map[string]string{}
	for _, tag := range tags {
		commits[tag.Name] = tag.Commit
	}
	return commits
}

// finish ends the build that waits.
func (u *uploadEnv) finish(outcome catalog.Outcome) {
	u.t.Helper()
	build, err := u.store.ClaimBuild(u.t.Context(), worker, math.MaxInt, time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		u.t.Fatal(err)
	}
	result := catalog.BuildResult{Outcome: outcome, EndedAt: time.Now()}
	if outcome == catalog.OutcomeBuilt {
		result.Digest = "sha256:" + strings.Repeat("0", 64)
	}
	if err := u.store.FinishBuild(u.t.Context(), build.ID, worker, result); err != nil {
		u.t.Fatal(err)
	}
}

// left lists what uploads have left beside repositories.
func (u *uploadEnv) left() []string {
	u.t.Helper()
	var left []string
	for _, dir := range []string{"uploads", "repos/.incoming"} {
		entries, err := os.ReadDir(filepath.Join(u.dir, dir))
		if err != nil {
			u.t.Fatal(err)
		}
		for _, e := range entries {
			left = append(left, dir+"/"+e.Name())
		}
	}
	return left
}

func TestUploadBecomesABuild(t *testing.T) {
	d := newUploadEnv(t)
	queued, err := d.upload("v1", tarFiles(t, "Dockerfile", "FROM scratch\n", "a/b", "text"))
	if err != nil {
		t.Fatal(err)
	}
	if queued.Trigger != catalog.TriggerUpload || queued.Version != "v1" || queued.UserID != d.image.OwnerID || queued.Attached {
		t.Errorf("queued %+v", queued)
	}
	if state, commit := d.state("v1"); state != catalog.Pending || commit != queued.Commit || d.tags()["v1"] != commit {
		t.Errorf("v1 is %s of %s, the tags are %v", state, commit, d.tags())
	}
	tree, err := d.repos.Tree(t.Context(), d.image.Ref, queued.Commit)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close() //nolint:errcheck // read only
	if text, err := fs.ReadFile(tree, "a/b"); err != nil || string(text) != "text" || tree.CommitTime().Unix() != d.now.Unix() {
		t.Errorf("read %q %v of %v", text, err, tree.CommitTime())
	}
	if left := d.left(); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestUploadKeepsVersionsImmutable(t *testing.T) {
	d := newUploadEnv(t)
	one, two := tarFiles(t, "Dockerfile", "FROM scratch\n"), tarFiles(t, "Dockerfile", "FROM busybox\n")
	first, err := d.upload("v1", one)
	if err != nil {
		t.Fatal(err)
	}
	d.now = d.now.Add(time.Minute)
	if _, err := d.upload("v1", two); catalog.CodeOf(err) != catalog.Conflict || !strings.Contains(err.Error(), "being built") {
		t.Errorf("other files during the build: got %v", err)
	}
	if again, err := d.upload("v1", one); err != nil || !again.Attached || again.ID != first.ID {
		t.Errorf("the same files during the build: got %+v %v", again, err)
	}
	if d.tags()["v1"] != first.Commit {
		t.Errorf("the tag went: %v", d.tags())
	}
	d.finish(catalog.OutcomeBuilt)
	if err := d.uploads.CheckVersion(t.Context(), d.image, "v1"); catalog.CodeOf(err) != catalog.Conflict {
		t.Errorf("a built version: got %v", err)
	}
	for _, archive := range [][]byte{one, two} {
		if _, err := d.upload("v1", archive); catalog.CodeOf(err) != catalog.Conflict {
			t.Errorf("over a built version: got %v", err)
		}
	}
	if err := d.uploads.CheckVersion(t.Context(), d.image, "a b"); catalog.CodeOf(err) != catalog.Invalid {
		t.Errorf("no name of a version: got %v", err)
	}
	if d.tags()["v1"] != first.Commit {
		t.Errorf("the tag went: %v", d.tags())
	}
}

// A failed version may be uploaded again, whether its tag was withdrawn or not.
func TestUploadAfterFailure(t *testing.T) {
	d := newUploadEnv(t)
	first, err := d.upload("v1", tarFiles(t, "Dockerfile", "FROM nothing\n"))
	if err != nil {
		t.Fatal(err)
	}
	d.finish(catalog.OutcomeUserError)
	second, err := d.upload("v1", tarFiles(t, "Dockerfile", "FROM scratch\n"))
	if err != nil || second.Commit == first.Commit || second.Number != 2 || d.tags()["v1"] != second.Commit {
		t.Fatalf("got %+v %v, tags %v", second, err, d.tags())
	}
	d.finish(catalog.OutcomeTimeout)
	d.now = d.now.Add(time.Hour)
	third, err := d.upload("v1", tarFiles(t, "Dockerfile", "FROM scratch\n"))
	if err != nil || third.Commit != second.Commit || third.Attached {
		t.Errorf("the same files again: got %+v %v", third, err)
	}
}

func TestUploadLosesToAPush(t *testing.T) {
	d := newUploadEnv(t)
	pushed, err := d.upload("v0", tarFiles(t, "f", "1"))
	if err != nil {
		t.Fatal(err)
	}
	// A push has moved its ref and not queued its build yet.
	if err := d.repos.SetTag(t.Context(), d.image.Ref, "v1", pushed.Commit); err != nil {
		t.Fatal(err)
	}
	if _, err := d.upload("v1", tarFiles(t, "f", "2")); catalog.CodeOf(err) != catalog.Conflict {
		t.Errorf("got %v", err)
	}
	if d.tags()["v1"] != pushed.Commit {
		t.Errorf("the push's tag went: %v", d.tags())
	}
}

// Nothing is left of an upload that failed, wherever it did, and the version
// may be tried again.
func TestUploadLeavesNothing(t *testing.T) {
	d := newUploadEnv(t)
	archive := tarFiles(t, "Dockerfile", "FROM scratch\n")
	lost := io.MultiReader(bytes.NewReader(archive[:700]), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := d.uploads.Receive(t.Context(), d.image, lost); catalog.CodeOf(err) != catalog.Invalid {
		t.Errorf("a lost connection: got %v", err)
	}
	if _, err := d.upload("v1", archive[:700]); catalog.CodeOf(err) != catalog.Invalid {
		t.Errorf("an archive that is cut off: got %v", err)
	}
	if _, err := d.upload("v1", []byte("PK\x03\x04 and no more")); catalog.CodeOf(err) != catalog.Invalid {
		t.Errorf("a broken zip: got %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.uploads.Receive(cancelled, d.image, bytes.NewReader(archive)); !errors.Is(err, context.Canceled) {
		t.Errorf("a client that is gone: got %v", err)
	}
	d.before = func([]catalog.NewBuild) error { return catalog.Errorf(catalog.Unavailable, "full") }
	if _, err := d.upload("v1", archive); catalog.CodeOf(err) != catalog.Unavailable {
		t.Errorf("no room in the queue: got %v", err)
	}
	if state, _ := d.state("v1"); state != "" || len(d.tags()) != 0 || len(d.left()) != 0 {
		t.Errorf("left behind: %s %v %v", state, d.tags(), d.left())
	}
	d.before = nil
	if _, err := d.upload("v1", archive); err != nil {
		t.Errorf("the next try: %v", err)
	}
}

// Memory does not grow with the upload.
func TestUploadMemory(t *testing.T) {
	d := newUploadEnv(t)
	const size = 96 << 20
	reader, writer := io.Pipe()
	go func() {
		w := tar.NewWriter(writer)
		err := w.WriteHeader(&tar.Header{Name: "noise", Mode: 0o644, Size: size})
		if err == nil {
			_, err = io.CopyN(w, rand.NewChaCha8([32]byte{}), size)
		}
		_ = writer.CloseWithError(errors.Join(err, w.Close()))
	}()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	most, reads := uint64(0), 0
	watched := readerFunc(func(p []byte) (int, error) {
		if reads++; reads%100 == 0 {
			runtime.ReadMemStats(&after)
			most = max(most, after.HeapAlloc)
		}
		return reader.Read(p)
	})
	up, err := d.uploads.Receive(t.Context(), d.image, watched)
	if err != nil {
		t.Fatal(err)
	}
	if err := up.Close(); err != nil {
		t.Error(err)
	}
	if most == 0 || most > before.HeapAlloc+size/4 {
		t.Errorf("the heap grew from %d to %d bytes", before.HeapAlloc, most)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
