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
	"github.com/fandoghpaas/fandogh/gitserver/repository"
)

// Whatever storage the objects of repositories are in, they are pushed there, found again by a later start, and go with the repository.
func TestPushOntoOtherStorage(t *testing.T) {
	var memory storagetest.Memory
	h := newEnvOn(t, memory.Storage, nil)
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
	again, err := repository.OpenOn(h.disk, memory.Storage, filepath.Join(h.dir, "repos"), objects.NewBudget(), nil)
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

// A start removes what a deletion has left in the storage.
func TestStartEndsDeletionInOtherStorage(t *testing.T) {
	var memory storagetest.Memory
	h := newEnvOn(t, memory.Storage, nil)
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
	if _, err := repository.OpenOn(h.disk, memory.Storage, filepath.Join(h.dir, "repos"), objects.NewBudget(), nil); err != nil || memory.Count() != 0 {
		t.Errorf("a start leaves %d packs, %v", memory.Count(), err)
	}
	h.quarantinesEmpty()
}

// A push has the repository's objects open once, from what it advertises to what it reports.
func TestPushOpensObjectsOnce(t *testing.T) {
	var opened atomic.Int32
	h := newEnvOn(t, func(dir string) objects.Storage {
		opened.Add(1)
		return objects.NewFiles(dir)
	}, nil)
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
