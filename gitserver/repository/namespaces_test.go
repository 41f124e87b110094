package repository

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// A namespace's directory goes with its last repository, and with none that another is put beside.
func TestDirectoriesOfNamespaces(t *testing.T) {
	dir := t.TempDir()
	open := func() *Repositories {
		t.Helper()
		r, err := Open(dir, objects.NewBudget(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := open()
	makeOne := func(name string) error {
		ref := catalog.ImageRef{Namespace: "ann", Name: name}
		defer r.lock(ref)()
		return r.ensure(ref)
	}
	drop := func(name string) error {
		return r.Delete(t.Context(), catalog.ImageRef{Namespace: "ann", Name: name})
	}
	isThere := func() bool {
		_, err := os.Stat(filepath.Join(dir, "ann"))
		return !errors.Is(err, fs.ErrNotExist)
	}
	if err := errors.Join(makeOne("a"), makeOne("b"), drop("a")); err != nil || !isThere() {
		t.Errorf("with a repository left, the directory is there: %v, %v", isThere(), err)
	}
	if err := drop("b"); err != nil || isThere() {
		t.Errorf("with none left, it is there: %v, %v", isThere(), err)
	}

	var all sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		all.Go(func() {
			for range 200 {
				if err := errors.Join(makeOne(name), drop(name)); err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
			}
		})
	}
	all.Wait()
	if isThere() {
		t.Error("after all were deleted, it is there")
	}

	if err := os.Mkdir(filepath.Join(dir, "ann"), 0o700); err != nil {
		t.Fatal(err)
	}
	if open(); isThere() {
		t.Error("a start leaves what older versions have left")
	}
}
