package repository

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

var (
	wasCalled = catalog.ImageRef{Namespace: "ann", Name: "App"}
	isCalled  = catalog.ImageRef{Namespace: "bob", Name: "App"}
)

// withMark makes a repository, and one of its submodules, which hold a file that tells them from others.
func withMark(t *testing.T, r *Repositories, ref catalog.ImageRef, mark string) {
	t.Helper()
	for _, of := range []*Repositories{r, r.modules} {
		unlock := of.lock(ref)
		err := of.ensure(ref)
		unlock()
		if err == nil {
			err = os.WriteFile(filepath.Join(of.path(ref), "description"), []byte(mark), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func wantMarks(t *testing.T, r *Repositories, ref catalog.ImageRef, want string) {
	t.Helper()
	for _, of := range []*Repositories{r, r.modules} {
		if got, err := os.ReadFile(filepath.Join(of.path(ref), "description")); string(got) != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", of.path(ref), got, err, want)
		}
	}
}

func TestRename(t *testing.T) {
	dir := t.TempDir()
	r, err := Open(dir, objects.NewBudget(), nil)
	if err != nil {
		t.Fatal(err)
	}
	withMark(t, r, wasCalled, "it")
	withMark(t, r, isCalled, "a stray")
	// As a crash may leave it: what goes first has gone.
	if err := r.rename(t.Context(), wasCalled, isCalled); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time finds all done
		if err := r.Rename(t.Context(), wasCalled, isCalled); err != nil {
			t.Fatal(err)
		}
		wantMarks(t, r, isCalled, "it")
	}
	if _, err := os.Stat(filepath.Join(dir, "ann")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old namespace's directory: %v", err)
	}
	strays, err := os.ReadDir(filepath.Join(dir, asideDir))
	if err != nil || len(strays) != 1 {
		t.Fatalf("what had the name is not set aside: %v, %v", strays, err)
	}
	if _, err := os.Stat(filepath.Join(dir, asideDir, strays[0].Name(), "bob_app.git", "description")); err != nil {
		t.Error(err)
	}
	if err := r.Rename(t.Context(), catalog.ImageRef{Namespace: "ann", Name: "none"}, isCalled); err != nil {
		t.Errorf("no repository: %v", err)
	}
	wantMarks(t, r, isCalled, "it")
	if err := r.Rename(t.Context(), wasCalled, catalog.ImageRef{Namespace: "..", Name: "x"}); catalog.CodeOf(err) != catalog.Invalid {
		t.Errorf("to a name that is none: %v", err)
	}
}

// Objects that were checked against a repository enter it or none, and no repository comes by the old name.
func TestRenameWhileObjectsArrive(t *testing.T) {
	r, err := Open(t.TempDir(), objects.NewBudget(), nil)
	if err != nil {
		t.Fatal(err)
	}
	moved := catalog.Errorf(catalog.Moved, "it is elsewhere")
	r.AskBeforeMaking(func(ref catalog.ImageRef) error {
		if ref == wasCalled {
			return moved
		}
		return nil
	})
	withMark(t, r, isCalled, "it")
	back := func(from, to catalog.ImageRef) {
		t.Helper()
		if err := r.Rename(t.Context(), from, to); err != nil {
			t.Fatal(err)
		}
	}
	back(isCalled, wasCalled)
	enter := func(q *Quarantine) error { return q.Enter(nil, func(*Repository) error { return nil }) }
	begun, err := r.NewQuarantine(wasCalled)
	if err == nil {
		_, err = begun.objects()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer begun.discard()
	back(wasCalled, isCalled)
	if err := enter(begun); catalog.CodeOf(err) != catalog.Moved {
		t.Errorf("what was begun before: %v", err)
	}
	late, err := r.NewQuarantine(wasCalled)
	if err != nil {
		t.Fatal(err)
	}
	defer late.discard()
	if err := enter(late); !errors.Is(err, moved) {
		t.Errorf("what was begun after, by the old name: %v", err)
	}
	now, err := r.NewQuarantine(isCalled)
	if err != nil {
		t.Fatal(err)
	}
	defer now.discard()
	if err := enter(now); err != nil {
		t.Errorf("by the new name: %v", err)
	}
}
