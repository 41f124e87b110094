package gitserver

import (
	"bufio"
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

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// hiddenRefs are Fandogh's own: clients neither see nor write them.
const hiddenRefs = "refs/fandogh/"

// gitRef is a ref and the object it names.
type gitRef struct {
	Name string
	Hash plumbing.Hash
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

// readRefs returns all refs by name, the hidden ones too.
func (r *repository) readRefs() ([]gitRef, error) {
	all, err := r.packedRefs()
	if err != nil {
		return nil, err
	}
	root := filepath.Join(r.dir, "refs")
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // went while we walked
		}
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".lock") {
			return err
		}
		rel, err := filepath.Rel(r.dir, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		h, ok, err := r.readLoose(name)
		if ok {
			all[name] = h
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	refs := make([]gitRef, 0, len(all))
	for name, h := range all {
		refs = append(refs, gitRef{name, h})
	}
	slices.SortFunc(refs, func(a, b gitRef) int { return strings.Compare(a.Name, b.Name) })
	return refs, nil
}

// readRef returns one ref; ok is false when there is none.
func (r *repository) readRef(name string) (h plumbing.Hash, ok bool, err error) {
	if h, ok, err = r.readLoose(name); ok || err != nil {
		return h, ok, err
	}
	packed, err := r.packedRefs()
	h, ok = packed[name]
	return h, ok, err
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
	text := strings.TrimSpace(string(data))
	if !plumbing.IsHash(text) {
		return plumbing.ZeroHash, false, fmt.Errorf("%s holds %q, which is no object name", path, text)
	}
	return plumbing.NewHash(text), true, nil
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

func (r *repository) packedRefs() (map[string]plumbing.Hash, error) {
	refs := map[string]plumbing.Hash{}
	data, err := os.ReadFile(filepath.Join(r.dir, "packed-refs"))
	if errors.Is(err, fs.ErrNotExist) {
		return refs, nil
	}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		hash, name, ok := strings.Cut(lines.Text(), " ")
		if ok && plumbing.IsHash(hash) {
			refs[name] = plumbing.NewHash(hash)
		}
	}
	return refs, err
}

// updateRefs makes all changes or none. Each ref must still be what Old says,
// else Conflict. The caller holds the repository's lock; git's own lock files
// keep other programs out.
func (r *repository) updateRefs(changes []refChange) error {
	var locked []string
	defer func() {
		for _, lock := range locked {
			if err := os.Remove(lock); err == nil {
				r.dropEmptyDirs(filepath.Dir(lock))
			}
		}
	}()
	for _, c := range changes {
		lock, err := r.lockRef(c)
		if err != nil {
			return err
		}
		locked = append(locked, lock)
	}
	for i, c := range changes {
		if err := r.commitRef(c); err != nil {
			return errors.Join(err, r.rollBack(changes[:i]))
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
	packed, err := r.packedRefs()
	if err != nil {
		return err
	}
	for i, c := range name {
		if c != '/' || i < len("refs/heads") {
			continue
		}
		if _, ok, err := r.readRef(name[:i]); ok || err != nil {
			return errors.Join(err, besideError(name, name[:i]))
		}
	}
	for other := range packed {
		if strings.HasPrefix(other, name+"/") {
			return besideError(name, other)
		}
	}
	below := filepath.Join(r.dir, filepath.FromSlash(name))
	return filepath.WalkDir(below, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return nil
		}
		if err != nil || d.IsDir() || path == below || strings.HasSuffix(path, ".lock") {
			return err
		}
		return besideError(name, name+"/"+d.Name())
	})
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
	// Out of packed-refs first: the other order would show its old value there.
	if err := r.unpackRef(c.Name); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return r.syncRefDirs(filepath.Dir(path))
}

// syncRefDirs makes the last change in dir last, which may itself be new.
func (r *repository) syncRefDirs(dir string) error {
	top := filepath.Join(r.dir, "refs")
	for {
		if err := objects.SyncDir(dir); err != nil {
			return err
		}
		if dir = filepath.Dir(dir); dir == top || len(dir) <= len(r.dir) {
			return nil
		}
	}
}

func (r *repository) unpackRef(name string) error {
	path := filepath.Join(r.dir, "packed-refs")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var kept strings.Builder
	dropped := false
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "^") {
			if !dropped {
				kept.WriteString(line)
			}
			continue
		}
		_, refName, _ := strings.Cut(strings.TrimSpace(line), " ")
		if dropped = refName == name; !dropped {
			kept.WriteString(line)
		}
	}
	if kept.Len() == len(data) {
		return nil
	}
	return writeFile(path, kept.String())
}

func (r *repository) rollBack(done []refChange) error {
	var errs []error
	for _, c := range done {
		lock := filepath.Join(r.dir, filepath.FromSlash(c.Name)) + ".lock"
		if err := os.Remove(lock); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, r.updateRefs([]refChange{{Name: c.Name, Old: c.New, New: c.Old}}))
	}
	return errors.Join(errs...)
}

// dropEmptyDirs removes dir and its parents as long as they are empty.
func (r *repository) dropEmptyDirs(dir string) {
	keep := map[string]bool{}
	for _, sub := range []string{"refs", "refs/heads", "refs/tags"} {
		keep[filepath.Join(r.dir, filepath.FromSlash(sub))] = true
	}
	for !keep[dir] && len(dir) > len(r.dir) {
		if info, err := os.Lstat(dir); err == nil && !info.IsDir() {
			return
		}
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return
		}
		dir = filepath.Dir(dir)
	}
}
