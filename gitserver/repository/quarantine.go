package repository

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// quarantineDir holds quarantines and repositories on their way in or out.
// No namespace begins with a dot.
const quarantineDir = ".incoming"

// Quarantine is where objects wait until they are checked, and the one way into the repository
// that they are for. What they are checked against is opened once, and they enter that same repository
// or none. They are files of this machine while they wait, whatever storage they are for.
type Quarantine struct {
	repos    *Repositories
	ref      catalog.ImageRef
	dir      string                 // where they are; "" until objects come
	identity *identity              // of the directory that base is of
	base     *objects.Store         // what the repository has; nil: not opened yet
	since    int64                  // identity.pruned before base was opened
	older    []*objects.Store       // that were base
	relied   map[plumbing.Hash]bool // objects of base that are going to be referred to
	builder  *objects.PackBuilder   // of incoming, while that is written here
	incoming *objects.Incoming      // nil: no objects
	merged   *objects.Merged        // of packs of the repository, which it replaces; nil: nothing is merged
}

// NewQuarantine makes an empty one.
func (r *Repositories) NewQuarantine(ref catalog.ImageRef) (*Quarantine, error) {
	if err := ref.Validate(); err != nil {
		return nil, err
	}
	return &Quarantine{repos: r, ref: ref}, nil
}

// directory returns where objects wait, made when the first come.
func (q *Quarantine) directory() (dir string, err error) {
	if q.dir == "" {
		q.dir, err = q.repos.temporary()
	}
	return q.dir, err
}

// Close removes the quarantine with what has not entered the repository.
func (q *Quarantine) Close() error {
	var errs []error
	if q.builder != nil {
		errs = append(errs, q.builder.Close())
	}
	if q.incoming != nil {
		errs = append(errs, q.incoming.Close())
	}
	if q.merged != nil {
		errs = append(errs, q.merged.Close())
	}
	if q.base != nil {
		errs = append(errs, q.base.Close())
	}
	for _, older := range q.older {
		errs = append(errs, older.Close())
	}
	if q.dir != "" {
		errs = append(errs, os.RemoveAll(q.dir))
	}
	return errors.Join(errs...)
}

// discard is Close where nothing depends on it: the next start removes what is left.
func (q *Quarantine) discard() {
	if err := q.Close(); err != nil {
		q.repos.log.Error("failed to remove a quarantine directory", "error", err)
	}
}

// objects returns what the repository has. From the first call on it must stay the same repository.
func (q *Quarantine) objects() (*objects.Store, error) {
	if q.base != nil {
		return q.base, nil
	}
	identity := q.repos.identity(q.ref)
	since := identity.pruned.Load()
	base, err := q.repos.openStore(q.ref)
	if err != nil {
		return nil, err
	}
	q.identity, q.since, q.base = identity, since, base
	return base, nil
}

// Repository returns the repository as it is, an empty one when there is none. It lasts as long as the quarantine.
func (q *Quarantine) Repository() (*Repository, error) {
	base, err := q.objects()
	if err != nil {
		return nil, err
	}
	return newRepository(q.repos.path(q.ref), q.ref, base, q.repos.on), nil
}

// Receive reads a pack from a client or a source.
func (q *Quarantine) Receive(r io.Reader, limits objects.Limits, shallow []plumbing.Hash) error {
	dir, err := q.directory()
	if err != nil {
		return err
	}
	q.incoming, err = objects.Receive(r, dir, limits, shallow)
	return err
}

// Count returns how many objects were received.
func (q *Quarantine) Count() int {
	if q.incoming == nil {
		return 0
	}
	return q.incoming.Count()
}

// Bytes returns how long the pack is that was received, 0 for none.
func (q *Quarantine) Bytes() int64 {
	if q.incoming == nil {
		return 0
	}
	return q.incoming.Bytes()
}

// Check holds what was received to git's rules: each object, and its links to others that were received or that the
// repository has.
func (q *Quarantine) Check(ctx context.Context) error {
	base, err := q.objects()
	if err != nil || q.incoming == nil {
		return err
	}
	return q.incoming.Resolve(ctx, base)
}

// Peel returns what an object means in the end that is here or in the repository. Enter sees to it that it is there yet.
func (q *Quarantine) Peel(h plumbing.Hash) (objects.Link, error) {
	base, err := q.objects()
	if err != nil {
		return objects.Link{}, err
	}
	q.rely(h)
	return q.incoming.Peel(base, h)
}

// ReadTag returns what an annotated tag's object says that is here or in the repository. Errors: as catalog.Sources has it.
func (q *Quarantine) ReadTag(h plumbing.Hash) ([]byte, error) {
	base, err := q.objects()
	if err != nil {
		return nil, err
	}
	text, err := q.incoming.TagText(base, h)
	return text, tagError(err, q.ref, h)
}

// build begins a pack of objects that are made here, where they need no check.
func (q *Quarantine) build() (*objects.PackBuilder, error) {
	base, err := q.objects()
	if err != nil {
		return nil, err
	}
	dir, err := q.directory()
	if err != nil {
		return nil, err
	}
	q.builder, err = objects.NewPackBuilder(dir, base)
	return q.builder, err
}

// built ends what build began.
func (q *Quarantine) built() error {
	in, err := q.builder.Finish()
	if err == nil {
		q.builder, q.incoming = nil, in
	}
	return err
}

// merge makes one pack of several of the repository, and reports whether there was reason to.
// Packs never change and are removed under Repositories.maintaining alone, so this needs no other lock.
func (q *Quarantine) merge(ctx context.Context) (bool, error) {
	repo, err := q.Repository()
	if err != nil {
		return false, err
	}
	shallow, err := repo.Shallow()
	if err != nil {
		return false, err
	}
	dir, err := q.directory()
	if err != nil {
		return false, err
	}
	if q.merged, err = repo.Objects.Merge(ctx, dir, shallow); q.merged == nil || err != nil {
		return false, err
	}
	return true, nil
}

// Enter has the repository locked, and made when it is new, while do installs the objects and does what goes with
// them. may, if not nil, is asked first whether they still may enter. Errors: Conflict or Moved, when the repository that the
// objects were checked against was deleted or renamed; Unavailable, when what they lead to was removed from it.
func (q *Quarantine) Enter(may func() error, do func(*Repository) error) error {
	if _, err := q.objects(); err != nil {
		return err
	}
	defer q.repos.lock(q.ref)()
	if may != nil {
		if err := may(); err != nil {
			return err
		}
	}
	if err := q.repos.isStill(q.ref, q.identity); err != nil {
		return err
	}
	if err := q.repos.settle(q.ref); err != nil {
		return err
	}
	if q.since != q.identity.pruned.Load() {
		if err := q.rebase(); err != nil {
			return err
		}
	}
	if err := q.repos.ensure(q.ref); err != nil {
		return err
	}
	return do(newRepository(q.repos.path(q.ref), q.ref, q.base, q.repos.on))
}

// Install makes the objects part of the repository that Enter has locked.
func (q *Quarantine) Install(repo *Repository) error {
	switch {
	case q.merged != nil:
		return q.merged.Replace(repo.Objects.Storage())
	case q.incoming != nil:
		return repo.install(q.incoming)
	}
	return nil
}
