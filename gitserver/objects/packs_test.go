package objects

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
)

// users returns how many stores have each of the open packs.
func (p *Packs) users() (users []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, open := range p.open {
		users = append(users, open.users)
	}
	return users
}

// onePack returns an objects directory with one pack, its path without suffix and a commit in it.
func onePack(t *testing.T) (dir, pack string, head plumbing.Hash) {
	t.Helper()
	repository := gitRepository(t)
	git := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("git", append([]string{"-C", repository}, args...)...).Output()
		if err != nil {
			t.Fatalf("git %v: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	git("repack", "-adq")
	dir = filepath.Join(repository, ".git", "objects")
	entries, err := os.ReadDir(filepath.Join(dir, "pack"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".pack"); ok {
			pack = filepath.Join(dir, "pack", name)
		}
	}
	return dir, pack, plumbing.NewHash(git("rev-parse", "HEAD"))
}

// Each pack and its index is in memory once, however many stores have it open, until the last is closed.
func TestPacksAreOpenedOnce(t *testing.T) {
	dir, pack, head := onePack(t)
	packs := NewPacks(NewBudget())
	stores := make([]*Store, 50)
	var opening sync.WaitGroup
	for i := range stores {
		opening.Go(func() {
			var err error
			if stores[i], err = packs.OpenStore(Files(dir)); err != nil {
				t.Error(err)
			}
		})
	}
	opening.Wait()
	if t.Failed() {
		return
	}
	if got := packs.users(); !slices.Equal(got, []int{len(stores)}) {
		t.Errorf("the packs have %v users", got)
	}
	first := stores[0].packs[0].openPack
	for _, s := range stores {
		if len(s.packs) != 1 || s.packs[0].openPack != first {
			t.Error("a store has a pack of its own")
		}
	}
	reads := func(s *Store) {
		t.Helper()
		if _, _, err := s.Get(head); err != nil {
			t.Error(err)
		}
	}
	closes := func(s *Store) {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, s := range stores[1:] {
		closes(s)
	}
	if got := packs.users(); !slices.Equal(got, []int{1}) {
		t.Errorf("the packs have %v users", got)
	}
	// Another file of the name is another pack, and who has the first goes on reading that.
	data, err := os.ReadFile(pack + ".pack")
	if err := errors.Join(err, os.WriteFile(pack+".new", data, 0o644), os.Rename(pack+".new", pack+".pack")); err != nil {
		t.Fatal(err)
	}
	again, err := packs.OpenStore(Files(dir))
	if err != nil {
		t.Fatal(err)
	}
	if len(again.packs) != 1 || again.packs[0].openPack == first {
		t.Error("a new file is taken for the old one")
	}
	closes(stores[0])
	reads(again)
	third, err := packs.OpenStore(Files(dir))
	if err != nil || third.packs[0].openPack != again.packs[0].openPack {
		t.Errorf("the new file is opened again, %v", err)
	}
	closes(again)
	reads(third)
	closes(third)
	if got := packs.users(); len(got) != 0 {
		t.Errorf("packs are open: %v", got)
	}
	if err := first.f.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the first pack's file was not closed: %v", err)
	}
}

// A pack that can't be opened is tried again by who comes next.
func TestPackThatCanNotBeOpened(t *testing.T) {
	dir, pack, _ := onePack(t)
	whole, err := os.ReadFile(pack + ".idx")
	if err != nil {
		t.Fatal(err)
	}
	set := func(data []byte) {
		t.Helper()
		if err := errors.Join(os.Chmod(pack+".idx", 0o644), os.WriteFile(pack+".idx", data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	packs := NewPacks(NewBudget())
	set(whole[:100])
	if _, err := packs.OpenStore(Files(dir)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a cut index: %v", err)
	}
	if got := packs.users(); len(got) != 0 {
		t.Errorf("packs are open: %v", got)
	}
	set(whole)
	s, err := packs.OpenStore(Files(dir))
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		t.Error(err)
	}
}
