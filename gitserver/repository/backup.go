package repository

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// EachFile visits the files of an image's repository, and of that of its submodules, by their names below the directory of
// repositories: refs first, and then what they name. Fixed are those that never change under their name. They
// may be copied in this order while the repository is used, as long as no pack is removed (AskBeforeRemoving).
func (r *Repositories) EachFile(ref catalog.ImageRef, visit func(name string, fixed bool) error) error {
	for _, of := range []*Repositories{r, r.modules} {
		below, err := filepath.Rel(r.dir, of.path(ref))
		if err != nil {
			return err
		}
		err = eachFileOf(of.path(ref), func(name string, fixed bool) error {
			return visit(filepath.ToSlash(filepath.Join(below, name)), fixed)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func eachFileOf(dir string, visit func(name string, fixed bool) error) error {
	// Who moves a ref into packed-refs puts it there before its own file goes.
	if err := walk(dir, "refs", visit); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || unfinished(e.Name()) {
			continue
		}
		if err := visit(e.Name(), false); err != nil {
			return err
		}
	}
	// A pack's index comes last, and a listing may show it alone.
	names, err := objects.Files(filepath.Join(dir, "objects")).Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		for _, suffix := range []string{".pack", ".idx"} {
			if err := visit("objects/pack/"+name+suffix, true); err != nil {
				return err
			}
		}
	}
	return walk(dir, "objects", func(name string, _ bool) error {
		if slices.Contains([]string{".pack", ".idx"}, filepath.Ext(name)) {
			return nil
		}
		isLoose := len(name) == len("objects/00/")+38
		return visit(name, isLoose)
	})
}

// walk visits the files below a directory of a repository.
func walk(dir, below string, visit func(name string, fixed bool) error) error {
	return filepath.WalkDir(filepath.Join(dir, below), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() || unfinished(d.Name()) {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return visit(filepath.ToSlash(name), false)
	})
}

// unfinished reports whether a file is one that is being written, or a lock.
func unfinished(name string) bool {
	return slices.Contains([]string{".lock", ".new"}, filepath.Ext(name)) || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "tmp_")
}
