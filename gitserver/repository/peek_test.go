package repository

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

func TestPeekSeesWhatTheTreeHas(t *testing.T) {
	c := newWorkTree(t)
	c.write("dir/sub/file", "text")
	c.write("run", "#!/bin/sh")
	if err := errors.Join(os.Chmod(filepath.Join(c.dir, "run"), 0o755), os.Symlink("dir", filepath.Join(c.dir, "link"))); err != nil {
		t.Fatal(err)
	}
	commit := c.commit("a", "1")
	tree, err := c.tree()
	if err != nil {
		t.Fatal(err)
	}
	peek, err := c.repos.Peek(t.Context(), imageRef, commit)
	if err != nil {
		t.Fatal(err)
	}
	defer peek.Close() //nolint:errcheck // only read
	if peek.Message() != "change a\n" {
		t.Errorf("the message is %q", peek.Message())
	}
	for _, name := range []string{".", "dir", "dir/sub", "dir/sub/file", "run", "link", "a", "nowhere", "dir/nowhere", "a/below", "../a", "/a", ""} {
		want, wantErr := tree.Lstat(name)
		got, err := peek.Lstat(name)
		if (err == nil) != (wantErr == nil) || err != nil && !errors.Is(err, errors.Unwrap(wantErr)) {
			t.Errorf("%q: %v, want %v", name, err, wantErr)
			continue
		}
		if err != nil {
			continue
		}
		if got.Mode() != want.Mode() || got.Size() != want.Size() || got.Sys() != want.Sys() {
			t.Errorf("%q is %v of %d bytes, want %v of %d", name, got.Mode(), got.Size(), want.Mode(), want.Size())
		}
	}
	if data, err := fs.ReadFile(peek, "dir/sub/file"); string(data) != "text" || err != nil {
		t.Errorf("read %q, %v", data, err)
	}
	if _, err := peek.Lstat("link/sub"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("below a link: %v", err)
	}
	if _, err := c.repos.Peek(t.Context(), imageRef, strings.Repeat("1", 40)); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("no such commit: %v", err)
	}
}

func TestTagsAreStoredWhileTheyStay(t *testing.T) {
	c := newWorkTree(t)
	c.commit("a", "1")
	c.git("tag", "old")
	c.git("tag", "-a", "-m", "x", "older")
	c.git("tag", "new")
	c.pushed()
	store := func(tags map[string]bool) {
		t.Helper()
		if err := c.repos.Store(t.Context(), imageRef, tags); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want string) {
		t.Helper()
		tags, err := c.repos.Tags(t.Context(), imageRef)
		if err != nil {
			t.Fatal(err)
		}
		var stored []string
		for _, tag := range tags {
			if tag.Stored {
				stored = append(stored, tag.Name)
			}
		}
		if got := strings.Join(stored, " "); got != want {
			t.Errorf("stored are %q, want %q", got, want)
		}
	}
	expect("")
	store(map[string]bool{"old": true, "older": true, "nowhere": true, "new": false})
	expect("old older")
	store(map[string]bool{"old": true, "older": false})
	expect("old")
	c.commit("a", "2")
	c.git("tag", "-f", "old")
	c.git("push", "-q", "--force", "file://"+c.repos.path(imageRef), "old")
	expect("")
}
