package repository

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
)

// pruningFile stands in a repository from when packs are to be removed with what is unneeded until that is done: the pack with what is
// needed of them, or "-", and then theirs. Until then there may be objects whose links are gone, to which nothing may refer.
const pruningFile = "pruning"

// replace puts the pack that was made in the place of others. The caller is within Enter.
func (q *Quarantine) replace(repo *Repository) error {
	if err := q.merged.Install(repo.Objects.Storage()); err != nil {
		return err
	}
	made := cmp.Or(q.merged.Name(), "-")
	text := strings.Join(append([]string{made}, q.merged.Replaced()...), "\n") + "\n"
	if err := refs.ReplaceFile(q.repos.on.Disk, repo.dir, pruningFile, text); err != nil {
		return err
	}
	return q.repos.settle(q.ref)
}

// settle ends a pruning that was cut short, if there is one. The caller holds the lock, and refers to nothing that it has not looked for since.
func (r *Repositories) settle(ref catalog.ImageRef) error {
	dir := r.path(ref)
	text, err := os.ReadFile(filepath.Join(dir, pruningFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	identity := r.identity(ref)
	defer identity.pruned.Add(1)
	names := strings.Fields(string(text))
	storage := r.on.Objects(filepath.Join(dir, "objects"))
	if len(names) > 0 {
		err = whole(storage, names[0])
		if err == nil {
			err = storage.Remove(names[1:]...)
		} else if errors.Is(err, fs.ErrNotExist) { // then they are all there is
			r.log.Error("a repository was not pruned, as a pack is missing", "repository", ref, "pack", names[0])
			err = nil
		}
	}
	if err != nil {
		return err
	}
	repo, err := r.OpenEmpty(ref)
	if err != nil {
		return err
	}
	defer objects.Discard(repo)
	if err := repo.trimShallow(); err != nil {
		return err
	}
	return errors.Join(r.on.Disk.Remove(filepath.Join(dir, pruningFile)), r.on.Disk.SyncDir(dir))
}

// whole reports by its error whether a pack is there. "-" is none. Errors: fs.ErrNotExist.
func whole(storage objects.Storage, name string) error {
	if name == "-" {
		return nil
	}
	pack, err := storage.Open(name)
	if err != nil {
		return err
	}
	return pack.File.Close()
}

// rebase has the quarantine go by what the repository has now, after something of it was removed. Errors: Unavailable, when that is needed.
func (q *Quarantine) rebase() error {
	since := q.identity.pruned.Load()
	base, err := q.repos.openStore(q.ref)
	if err != nil {
		return err
	}
	q.older, q.base, q.since = append(q.older, q.base), base, since
	gone := q.merged != nil // it has what is to go
	if q.incoming != nil && !gone {
		err := q.incoming.Connected(base)
		var missing *objects.MissingError
		if gone = errors.As(err, &missing); err != nil && !gone {
			return err
		}
	}
	for h := range q.relied {
		if _, err := q.incoming.TypeOf(base, h); errors.Is(err, objects.ErrNotFound) {
			gone = true
		} else if err != nil {
			return err
		}
	}
	if gone {
		return catalog.Errorf(catalog.Unavailable, "objects that nothing led to any more were removed from %s in the meantime, and this needs them; try again", q.ref)
	}
	return nil
}

// rely notes that an object of the repository, if it is there, is going to be referred to.
func (q *Quarantine) rely(h plumbing.Hash) {
	if there, err := q.base.Has(h); there && err == nil {
		if q.relied == nil {
			q.relied = map[plumbing.Hash]bool{}
		}
		q.relied[h] = true
	}
}

// Hold keeps objects, to which no ref may lead any more, from being pruned until release is called. The caller is within Enter.
func (q *Quarantine) Hold(held []plumbing.Hash) (release func()) {
	p := q.identity
	if p.held == nil {
		p.held = map[plumbing.Hash]int{}
	}
	for _, h := range held {
		p.held[h]++
	}
	return func() {
		p.Lock()
		defer p.Unlock()
		for _, h := range held {
			if p.held[h]--; p.held[h] == 0 {
				delete(p.held, h)
			}
		}
	}
}
