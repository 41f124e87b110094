//go:build linux

package buildkittest

import (
	"context"
	"crypto/sha1" //nolint:gosec // git's
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing/fstest"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Tree is a commit in memory. It keeps the contract of catalog.Tree: files say what
// they hold, directories are 0755.
type Tree struct {
	fstest.MapFS
	Opens  map[string]error // what Open of a name fails with
	Commit time.Time
}

// Epoch is when trees were committed.
var Epoch = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

// NewTree is a commit of files.
func NewTree(files map[string]string) *Tree {
	t := &Tree{MapFS: fstest.MapFS{}, Commit: Epoch}
	for name, content := range files {
		t.Add(name, content, 0o644)
	}
	return t
}

// Add puts a file or link, and the directories that it is in.
func (t *Tree) Add(name, content string, mode fs.FileMode) *Tree {
	t.MapFS[name] = &fstest.MapFile{Data: []byte(content), Mode: mode, Sys: BlobOf(content)}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		t.MapFS[dir] = &fstest.MapFile{Mode: fs.ModeDir | 0o755}
	}
	return t
}

// BlobOf is git's name of a content.
func BlobOf(content string) catalog.BlobID {
	return catalog.BlobID(fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content)))) //nolint:gosec // git's
}

// WithBusybox adds the one program that images in these tests are made of.
func (t *Tree) WithBusybox() *Tree {
	data, err := os.ReadFile("/bin/busybox")
	if err != nil {
		fmt.Fprintln(os.Stderr, "busybox is missing: install the package busybox-static")
		os.Exit(1)
	}
	return t.Add("busybox", string(data), 0o755)
}

// Open implements fs.FS.
func (t *Tree) Open(name string) (fs.File, error) {
	if err := t.Opens[name]; err != nil {
		return nil, err
	}
	return t.MapFS.Open(name)
}

// Sub implements fs.SubFS, with links that end at dir.
func (t *Tree) Sub(dir string) (fs.FS, error) {
	if dir == "." {
		return t, nil
	}
	sub := fstest.MapFS{}
	for name, file := range t.MapFS {
		if rest, ok := strings.CutPrefix(name, dir+"/"); ok {
			sub[rest] = file
		}
	}
	return sub, nil
}

// Whole implements catalog.Tree.
func (t *Tree) Whole() catalog.Files { return t }

// CommitTime implements catalog.Tree.
func (t *Tree) CommitTime() time.Time { return t.Commit }

// Describe implements catalog.Tree.
func (t *Tree) Describe(context.Context, catalog.CheckedOut) (string, error) {
	return "v1-2-g0123abc", nil
}

// KeepGit implements catalog.Tree.
func (t *Tree) KeepGit(context.Context, catalog.CheckedOut) error { return nil }

// OpenSubmodules implements catalog.Tree.
func (t *Tree) OpenSubmodules(context.Context, catalog.SubmoduleAccess) {}

// Close implements catalog.Tree.
func (t *Tree) Close() error { return nil }

// BusyboxImage begins a Dockerfile whose RUN steps have a shell.
const BusyboxImage = `FROM scratch
COPY busybox /bin/busybox
SHELL ["/bin/busybox", "sh", "-c"]
ENV PATH=/bin
`
