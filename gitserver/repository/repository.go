package repository

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
)

// Repository is one bare repository, open. Its store may be read by many; its
// refs are changed by the holder of the repository's lock alone.
type Repository struct {
	dir     string
	ref     catalog.ImageRef
	Objects *objects.Store
	Refs    refs.Store
	disk    refs.Disk
}

func newRepository(dir string, ref catalog.ImageRef, store *objects.Store, on Stores) *Repository {
	r := &Repository{dir: dir, ref: ref, Objects: store, disk: on.Disk}
	r.Refs = on.Refs(dir, r.PeelRef)
	return r
}

// Close gives back the repository's files.
func (r *Repository) Close() error { return r.Objects.Close() }

func initRepository(d refs.Disk, dir string) error {
	for _, sub := range []string{"objects/pack", "objects/info", "refs/heads", "refs/tags"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	// The directories themselves must survive a crash that comes after the push.
	for _, sub := range []string{"refs", "objects", ""} {
		if err := d.SyncDir(filepath.Join(dir, sub)); err != nil {
			return err
		}
	}
	config := "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"
	return errors.Join(
		refs.ReplaceFile(d, dir, "config", config),
		refs.ReplaceFile(d, dir, "HEAD", "ref: "+firstBranch+"\n"),
	)
}

// Commit reads a commit. Errors: NotFound.
func (r *Repository) Commit(h plumbing.Hash) (objects.Commit, error) {
	data, err := r.Objects.GetTyped(h, plumbing.CommitObject)
	if errors.Is(err, objects.ErrNotFound) {
		return objects.Commit{}, catalog.Errorf(catalog.NotFound, "%s has no commit %s", r.ref, h)
	}
	if err != nil {
		return objects.Commit{}, err
	}
	return objects.ParseCommit(data)
}

// PeelRef finds out what an annotated tag means, if that is not known. A ref to an
// object that is missing, as another program may leave one, means itself.
func (r *Repository) PeelRef(f *refs.Ref) error {
	if !f.Peeled.IsZero() {
		return nil
	}
	target, err := r.Objects.Peel(f.Hash)
	if errors.Is(err, objects.ErrNotFound) || errors.Is(err, objects.ErrTagChain) {
		target.Hash, err = f.Hash, nil
	}
	f.Peeled = target.Hash
	return err
}

// commitOf returns the commit that an object means, if it is there and means one.
func (r *Repository) commitOf(h plumbing.Hash) (commit plumbing.Hash, ok bool, err error) {
	target, err := r.Objects.Peel(h)
	if errors.Is(err, objects.ErrNotFound) || errors.Is(err, objects.ErrTagChain) {
		return plumbing.ZeroHash, false, nil
	}
	return target.Hash, err == nil && target.Type == plumbing.CommitObject, err
}

// install makes checked objects part of the repository. The caller holds the lock.
func (r *Repository) install(in *objects.Incoming) error {
	ends, err := in.NewShallow(r.Objects)
	if err != nil {
		return err
	}
	// The ends are known before the objects that need them.
	if err := r.addShallow(ends); err != nil {
		return err
	}
	if err := in.Install(r.Objects.Storage()); err != nil {
		return err
	}
	return r.trimShallow()
}

// newestTag returns the newest commit that a tag means, if any. Of very many tags it is the last by
// name.
func (r *Repository) newestTag() (newest plumbing.Hash, ok bool, err error) {
	const most = 1000
	seen, at := 0, int64(0)
	err = refs.Each(r.Refs, "refs/tags/", func(tag refs.Ref) error {
		commit, isCommit, err := r.commitOf(tag.Hash)
		if !isCommit || err != nil {
			return err
		}
		if seen++; seen > most {
			newest, ok = commit, true
			return nil
		}
		c, err := r.Commit(commit)
		if err == nil && (!ok || c.Time >= at) {
			newest, ok, at = commit, true, c.Time
		}
		return err
	})
	return newest, ok, err
}

func (r *Repository) hasRef(name string) bool {
	_, ok, err := refs.Read(r.Refs, name)
	return ok && err == nil
}

// Shallow returns the commits whose parents the repository does not have.
func (r *Repository) Shallow() ([]plumbing.Hash, error) {
	data, err := os.ReadFile(filepath.Join(r.dir, "shallow"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var hashes []plumbing.Hash
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		if h := lines.Text(); plumbing.IsHash(h) {
			hashes = append(hashes, plumbing.NewHash(h))
		}
	}
	return hashes, nil
}

// trimShallow forgets the ends of history whose parents have arrived, as clones get what is there, and those that are gone.
// The caller holds the lock.
func (r *Repository) trimShallow() error {
	ends, err := r.Shallow()
	if err != nil || len(ends) == 0 {
		return err
	}
	var text strings.Builder
	kept := 0
	for _, end := range ends {
		c, err := r.Commit(end)
		if catalog.CodeOf(err) == catalog.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		for _, parent := range c.Parents {
			there, err := r.Objects.Has(parent)
			if err != nil {
				return err
			}
			if !there {
				text.WriteString(end.String() + "\n")
				kept++
				break
			}
		}
	}
	switch kept {
	case len(ends):
		return nil
	case 0:
		return errors.Join(r.disk.Remove(filepath.Join(r.dir, "shallow")), r.disk.SyncDir(r.dir))
	}
	return refs.ReplaceFile(r.disk, r.dir, "shallow", text.String())
}

// addShallow records ends of history. The caller holds the lock.
func (r *Repository) addShallow(ends []plumbing.Hash) error {
	if len(ends) == 0 {
		return nil
	}
	known, err := r.Shallow()
	if err != nil {
		return err
	}
	var text strings.Builder
	all := append(known, ends...)
	slices.SortFunc(all, func(a, b plumbing.Hash) int { return bytes.Compare(a[:], b[:]) })
	for _, h := range slices.Compact(all) {
		text.WriteString(h.String() + "\n")
	}
	return refs.ReplaceFile(r.disk, r.dir, "shallow", text.String())
}
