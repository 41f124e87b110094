package gitserver

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/objects/storagetest"
	"github.com/fandoghpaas/fandogh/gitserver/refs/refstest"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// Whatever storage the objects of repositories are in, they are pushed there, found again by a later start, and go with the repository.
func TestPushOntoOtherStorage(t *testing.T) {
	var memory storagetest.Memory
	h := newEnvOn(t, repository.Stores{Objects: memory.Storage}, nil)
	c := h.newClone("alice", "app")
	c.commit("a.txt", lines(1000, "line"))
	c.git("push", "-q", "origin", "main")
	c.commit("a.txt", lines(1001, "line"))
	c.git("tag", "v1.0")
	c.git("push", "-q", "origin", "main", "v1.0")
	h.maintained()

	if packs, err := os.ReadDir(filepath.Join(h.repoDir("alice/app"), "objects", "pack")); len(packs) > 0 || err != nil || memory.Count() == 0 {
		t.Errorf("the repository's directory has the packs %v, %v; the storage has %d", packs, err, memory.Count())
	}
	other := h.newClone("alice", "app")
	other.git("clone", "-q", "--bare", h.url("app"), "copy")
	if got, want := other.git("-C", "copy", "rev-parse", "main", "v1.0"), c.git("rev-parse", "main", "v1.0"); got != want {
		t.Errorf("a clone has\n%s\nwant\n%s", got, want)
	}
	other.git("-C", "copy", "fsck", "--full", "--strict")
	h.maintained()

	ref := catalog.ImageRef{Namespace: "alice", Name: "app"}
	again, err := repository.OpenOn(repository.Stores{Disk: h.disk, Objects: memory.Storage}, filepath.Join(h.dir, "repos"), objects.NewBudget(), nil)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := again.Tree(t.Context(), ref, c.git("rev-parse", "main"))
	if err != nil {
		t.Fatal(err)
	}
	objects.Discard(tree)
	if err := again.Delete(t.Context(), ref); err != nil || memory.Count() != 0 {
		t.Errorf("a deletion leaves %d packs, %v", memory.Count(), err)
	}
}

// Whatever store the refs of repositories are in, pushes change them there, as git's own files would be, and a later start finds them.
func TestPushOntoOtherRefs(t *testing.T) {
	t.Setenv("GIT_AUTHOR_DATE", "2026-05-05T12:00:00Z")
	t.Setenv("GIT_COMMITTER_DATE", "2026-05-05T12:00:00Z")
	var memory refstest.Memory
	var results []string
	for _, on := range []repository.Stores{{}, {Refs: memory.Store}} {
		h := newEnvOn(t, on, nil)
		c := h.newClone("alice", "app")
		c.commit("a.txt", "1")
		c.git("tag", "v1.0")
		c.git("tag", "-a", "-m", "annotated", "v1.1")
		c.git("branch", "old")
		c.git("push", "-q", "origin", "main", "old", "v1.0", "v1.1")
		c.commit("a.txt", "2")
		c.git("push", "-q", "--atomic", "origin", "main", ":old")
		c.fails([]string{"push", "-q", "--atomic", "origin", "main:refs/heads/other", "main:refs/heads/main/below"})
		ref := catalog.ImageRef{Namespace: "alice", Name: "app"}
		commit := c.git("rev-parse", "main")
		if err := h.repos.Keep(t.Context(), ref, commit); err != nil {
			t.Fatal(err)
		}
		h.maintained()

		listed := c.git("ls-remote", h.url("app"))
		other := h.newClone("alice", "app")
		other.git("clone", "-q", h.url("app"), "copy")
		results = append(results, listed+"\n"+other.git("-C", "copy", "for-each-ref"))
		again, err := repository.OpenOn(repository.Stores{Disk: h.disk, Refs: on.Refs}, filepath.Join(h.dir, "repos"), objects.NewBudget(), nil)
		if err != nil {
			t.Fatal(err)
		}
		tags, err := again.Tags(t.Context(), ref)
		if err != nil || len(tags) != 2 {
			t.Errorf("a later start finds the tags %v, %v", tags, err)
		}
		_, err = os.Stat(filepath.Join(h.repoDir("alice/app"), "packed-refs"))
		if isFile := err == nil; isFile != (on.Refs == nil) {
			t.Errorf("packed-refs is there: %v", isFile)
		}
		if err := again.Delete(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Same(t, "what clients see", results[1], results[0])
}

// A start removes what a deletion has left in the storage.
func TestStartEndsDeletionInOtherStorage(t *testing.T) {
	var memory storagetest.Memory
	h := newEnvOn(t, repository.Stores{Objects: memory.Storage}, nil)
	c := h.newClone("alice", "app")
	c.commit("a.txt", "1")
	c.git("push", "-q", "origin", "main")
	h.maintained()
	left := filepath.Join(h.dir, "repos", quarantines, "push-1")
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(h.repoDir("alice/app"), filepath.Join(left, "deleted.git")); err != nil {
		t.Fatal(err)
	}
	if _, err := repository.OpenOn(repository.Stores{Disk: h.disk, Objects: memory.Storage}, filepath.Join(h.dir, "repos"), objects.NewBudget(), nil); err != nil || memory.Count() != 0 {
		t.Errorf("a start leaves %d packs, %v", memory.Count(), err)
	}
	h.quarantinesEmpty()
}

// A push has the repository's objects open once, from what it advertises to what it reports.
func TestPushOpensObjectsOnce(t *testing.T) {
	var opened atomic.Int32
	h := newEnvOn(t, repository.Stores{Objects: func(dir string) objects.Storage {
		opened.Add(1)
		return objects.NewFiles(dir)
	}}, nil)
	if out, err := exec.Command("git", "init", "-q", "--bare", h.repoDir("alice/app")).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	c := h.newClone("alice", "app")
	c.commit("a.txt", "1")
	times := make(chan int32, 1)
	h.receiver.set(func(r *receiver) {
		r.post = func(context.Context, catalog.Push) catalog.PostReceiveResult { // before packs are merged
			times <- opened.Load()
			return catalog.PostReceiveResult{}
		}
	})
	c.git("push", "-q", "origin", "main")
	if got := <-times; got != 1 {
		t.Errorf("the objects were opened %d times", got)
	}
}
