package refs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// looseRefs returns the refs that have files of their own in a repository, by name.
func looseRefs(dir string) ([]Ref, error) {
	var refs []Ref
	err := filepath.WalkDir(filepath.Join(dir, "refs"), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return nil // went while we walked
		}
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".lock") {
			return err
		}
		h, ok, err := readLoose(path)
		if err != nil || !ok {
			return err
		}
		name, err := filepath.Rel(dir, path)
		refs = append(refs, Ref{Name: filepath.ToSlash(name), Hash: h})
		return err
	})
	sortRefs(refs)
	return refs, err
}

// readLoose reads a ref's own file. There is none where there is no such file, and where it names another ref,
// which only the commands of an operator make.
func readLoose(path string) (h plumbing.Hash, ok bool, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) {
		return h, false, nil
	}
	if err != nil || bytes.HasPrefix(data, []byte("ref: ")) {
		return h, false, err
	}
	if h, ok = objects.ParseHash(bytes.TrimSpace(data)); !ok {
		err = fmt.Errorf("%s contains %q, which is not an object name", path, data)
	}
	return h, ok, err
}

// dropEmptyDirs removes the directories that refs with files of their own have left.
func (f *Files) dropEmptyDirs(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if err := f.dropEmptyDirs(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	if !f.isNested(dir) {
		return nil
	}
	if err := os.Remove(dir); !errors.Is(err, syscall.ENOTEMPTY) {
		return err
	}
	return nil
}
