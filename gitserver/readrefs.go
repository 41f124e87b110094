package gitserver

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// refSnapshot holds the refs below a prefix as they were at one time.
type refSnapshot struct {
	prefix string
	loose  []gitRef // by name; they go before packed ones
	packed *packedRefs
}

// openRefs takes a snapshot of all refs whose full names begin with prefix, a
// directory with its slash. The hidden ones are among them.
func (r *repository) openRefs(prefix string) (*refSnapshot, error) {
	loose, err := r.looseRefs(prefix)
	if err != nil {
		return nil, err
	}
	// Only now: packing puts a ref there before it removes its file.
	packed, err := openPackedRefs(r.dir)
	if err != nil {
		return nil, err
	}
	return &refSnapshot{prefix, loose, packed}, nil
}

// Close gives back the snapshot's file.
func (s *refSnapshot) Close() error { return s.packed.Close() }

// each visits the refs by name.
func (s *refSnapshot) each(visit func(gitRef) error) error {
	scan, err := s.packed.from(s.prefix)
	if err != nil {
		return err
	}
	loose := s.loose
	for {
		f, ok, err := scan.next()
		if err != nil {
			return err
		}
		if !ok || !strings.HasPrefix(f.Name, s.prefix) {
			break
		}
		for len(loose) > 0 && loose[0].Name < f.Name {
			if err := visit(loose[0]); err != nil {
				return err
			}
			loose = loose[1:]
		}
		if len(loose) > 0 && loose[0].Name == f.Name {
			f, loose = loose[0], loose[1:]
		}
		if err := visit(f); err != nil {
			return err
		}
	}
	for _, f := range loose {
		if err := visit(f); err != nil {
			return err
		}
	}
	return nil
}

// find returns one ref of the snapshot.
func (s *refSnapshot) find(name string) (gitRef, bool, error) {
	i, ok := slices.BinarySearchFunc(s.loose, name, func(f gitRef, name string) int { return strings.Compare(f.Name, name) })
	if ok {
		return s.loose[i], true, nil
	}
	return s.packed.find(name)
}

// eachRef visits the refs below a prefix by name.
func (r *repository) eachRef(prefix string, visit func(gitRef) error) error {
	refs, err := r.openRefs(prefix)
	if err != nil {
		return err
	}
	defer discard(refs)
	return refs.each(visit)
}

// looseRefs returns the refs below a prefix that have files of their own.
func (r *repository) looseRefs(prefix string) ([]gitRef, error) {
	var refs []gitRef
	err := r.walkLoose(prefix, func(name string) error {
		h, ok, err := r.readLoose(name)
		if ok {
			refs = append(refs, gitRef{Name: name, Hash: h})
		}
		return err
	})
	sortRefs(refs)
	return refs, err
}

// walkLoose visits the names of refs that have files of their own.
func (r *repository) walkLoose(prefix string, visit func(name string) error) error {
	root := filepath.Join(r.dir, filepath.FromSlash(prefix))
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return nil // went while we walked
		}
		if err != nil || d.IsDir() || path == root || strings.HasSuffix(path, ".lock") {
			return err
		}
		rel, err := filepath.Rel(r.dir, path)
		if err != nil {
			return err
		}
		return visit(filepath.ToSlash(rel))
	})
}

func sortRefs(refs []gitRef) {
	slices.SortFunc(refs, func(a, b gitRef) int { return strings.Compare(a.Name, b.Name) })
}

// readRef returns one ref; ok is false when there is none.
func (r *repository) readRef(name string) (h plumbing.Hash, ok bool, err error) {
	if h, ok, err = r.readLoose(name); ok || err != nil {
		return h, ok, err
	}
	packed, err := openPackedRefs(r.dir)
	if err != nil {
		return h, false, err
	}
	defer discard(packed)
	f, ok, err := packed.find(name)
	return f.Hash, ok, err
}

func (r *repository) readLoose(name string) (plumbing.Hash, bool, error) {
	path := filepath.Join(r.dir, filepath.FromSlash(name))
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || isDirectory(path, err) {
		return plumbing.ZeroHash, false, nil
	}
	if err != nil {
		return plumbing.ZeroHash, false, err
	}
	h, ok := objects.ParseHash(bytes.TrimSpace(data))
	if !ok {
		return h, false, fmt.Errorf("%s holds %q, which is no object name", path, data)
	}
	return h, true, nil
}

// isDirectory tells whether reading path failed because it is a directory or
// stands below a file.
func isDirectory(path string, err error) bool {
	if err == nil {
		return false
	}
	info, statErr := os.Stat(path)
	return errors.Is(statErr, syscall.ENOTDIR) || statErr == nil && info.IsDir()
}
