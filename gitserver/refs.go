package gitserver

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// hiddenRefs are Fandogh's own: clients neither see nor write them.
const hiddenRefs = "refs/fandogh/"

// gitRef is a ref and the object it names.
type gitRef struct {
	Name   string
	Hash   plumbing.Hash
	Peeled plumbing.Hash // what an annotated tag means in the end, of others Hash; zero: not known
}

// refChange moves a ref from Old to New; zero means there is none.
type refChange struct {
	Name     string
	Old, New plumbing.Hash
}

// checkRefName holds git's rules for a full ref name (git check-ref-format)
// and that it is a branch or a tag. Errors: Invalid, Forbidden.
func checkRefName(name string) error {
	bad := func(why string) error {
		return catalog.FieldErrorf("ref", "%q is no name for a branch or tag: %s", name, why)
	}
	if !strings.HasPrefix(name, "refs/heads/") && !strings.HasPrefix(name, "refs/tags/") {
		return catalog.Errorf(catalog.Forbidden, "only branches (refs/heads/…) and tags (refs/tags/…) can be pushed, not %q", name)
	}
	if len(name) > 1024 {
		return bad("it is longer than 1024 bytes")
	}
	for _, part := range strings.Split(name, "/") {
		switch {
		case part == "":
			return bad("it has an empty part")
		case part[0] == '.':
			return bad("a part begins with a dot")
		case strings.HasSuffix(part, ".lock"):
			return bad("a part ends in .lock")
		case len(part) > 240:
			return bad("a part is longer than 240 bytes")
		}
	}
	for _, c := range []byte(name) {
		if c < ' ' || c == 0x7f || strings.IndexByte(` ~^:?*[\`, c) >= 0 {
			return bad("it holds a blank, a control character or one of ~^:?*[\\")
		}
	}
	switch {
	case strings.Contains(name, ".."):
		return bad("it holds ..")
	case strings.Contains(name, "@{"):
		return bad("it holds @{")
	case strings.HasSuffix(name, "."):
		return bad("it ends in a dot")
	case name == "refs/heads/HEAD":
		return bad("HEAD is git's own")
	}
	return nil
}

// updateRefs makes all changes or none. Each ref must still be what Old says,
// else Conflict. The caller holds the repository's lock; git's own lock files
// keep other programs out.
func (r *repository) updateRefs(changes []refChange) error {
	var locked []string
	unlock := func() {
		for _, lock := range locked {
			if err := os.Remove(lock); err == nil {
				r.dropEmptyDirs(filepath.Dir(lock))
			}
		}
		locked = nil
	}
	defer unlock()
	for _, c := range changes {
		lock, err := r.lockRef(c)
		if err != nil {
			return err
		}
		locked = append(locked, lock)
	}
	err := r.commitRefs(changes)
	if err != nil {
		unlock()
		err = errors.Join(err, r.rollBack(changes))
	}
	return err
}

func (r *repository) commitRefs(changes []refChange) error {
	deleted := map[string]bool{}
	for _, c := range changes {
		if c.New.IsZero() {
			deleted[c.Name] = true
		}
	}
	if len(deleted) > 0 {
		unlock, err := r.lockPackedRefs()
		if err != nil {
			return err
		}
		defer unlock()
		// Out of packed-refs first: the other order would show an old value there.
		if err := r.unpackRefs(deleted); err != nil {
			return err
		}
	}
	for _, c := range changes {
		if err := r.commitRef(c); err != nil {
			return err
		}
	}
	return nil
}

// lockRef prepares one change and compares the ref's old value.
func (r *repository) lockRef(c refChange) (lock string, err error) {
	path := filepath.Join(r.dir, filepath.FromSlash(c.Name))
	if !c.New.IsZero() && c.Old.IsZero() {
		if err := r.checkNameFree(c.Name); err != nil {
			return "", err
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", catalog.Wrap(catalog.Conflict, err, "%s can't stand beside a ref that has part of its name", c.Name)
	}
	lock = path + ".lock"
	err = writeLock(lock, c.New.String()+"\n")
	if errors.Is(err, fs.ErrExist) {
		return "", catalog.Wrap(catalog.Conflict, err, "%s is being changed by somebody else; try again", c.Name)
	}
	if err != nil {
		return "", err
	}
	current, _, err := r.readRef(c.Name)
	if err == nil && current != c.Old {
		err = catalog.Errorf(catalog.Conflict, "%s has changed meanwhile; fetch and try again", c.Name)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(lock))
	}
	return lock, nil
}

// checkNameFree refuses a ref below or above another one: a/b beside a. It does
// not read all refs, as a push may bring thousands.
func (r *repository) checkNameFree(name string) error {
	for i, c := range name {
		if c != '/' || i < len("refs/heads") {
			continue
		}
		if _, ok, err := r.readRef(name[:i]); ok || err != nil {
			return errors.Join(err, besideError(name, name[:i]))
		}
	}
	packed, err := openPackedRefs(r.dir)
	if err != nil {
		return err
	}
	defer discard(packed)
	below, err := packed.from(name + "/")
	if err != nil {
		return err
	}
	other, ok, err := below.next()
	if err != nil {
		return err
	}
	if ok && strings.HasPrefix(other.Name, name+"/") {
		return besideError(name, other.Name)
	}
	return r.walkLoose(name+"/", func(other string) error { return besideError(name, other) })
}

func besideError(name, other string) error {
	return catalog.Errorf(catalog.Conflict, "%s can't stand beside %s; git keeps refs as files and directories", name, other)
}

func (r *repository) commitRef(c refChange) error {
	path := filepath.Join(r.dir, filepath.FromSlash(c.Name))
	if !c.New.IsZero() {
		r.dropEmptyDirs(path)
		if err := os.Rename(path+".lock", path); err != nil {
			return err
		}
		return r.syncRefDirs(filepath.Dir(path))
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return r.syncRefDirs(filepath.Dir(path))
}

// syncRefDirs makes the last change in dir last, which may itself be new.
func (r *repository) syncRefDirs(dir string) error {
	for {
		if err := objects.SyncDir(dir); err != nil {
			return err
		}
		if r.isOriginal(dir) || len(dir) <= len(r.dir) {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

// isOriginal tells whether a directory of refs came with the repository.
func (r *repository) isOriginal(dir string) bool {
	sub, err := filepath.Rel(r.dir, dir)
	return err == nil && slices.Contains([]string{"refs", "refs/heads", "refs/tags"}, filepath.ToSlash(sub))
}

// rollBack puts back what was changed of changes.
func (r *repository) rollBack(changes []refChange) error {
	var errs []error
	for _, c := range changes {
		now, _, err := r.readRef(c.Name)
		if err == nil && now != c.Old {
			err = r.updateRefs([]refChange{{Name: c.Name, Old: now, New: c.Old}})
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// dropEmptyDirs removes dir and its parents as long as they are empty.
func (r *repository) dropEmptyDirs(dir string) {
	for !r.isOriginal(dir) && len(dir) > len(r.dir) {
		if info, err := os.Lstat(dir); err == nil && !info.IsDir() {
			return
		}
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return
		}
		dir = filepath.Dir(dir)
	}
}
