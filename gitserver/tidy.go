package gitserver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/fandoghpaas/fandogh/catalog"
)

// tidy merges a repository's packs and packs its refs when there are many:
// every push leaves one and more. It is for after a push; what fails here is tried again
// after the next. At most one repository is tidied at a time.
func (r *Repositories) tidy(ctx context.Context, ref catalog.ImageRef) {
	if !r.tidying.TryLock() {
		return
	}
	defer r.tidying.Unlock()
	// One is of use without the other.
	err := errors.Join(r.mergePacks(ctx, ref), r.packRefs(ctx, ref))
	if err != nil && ctx.Err() == nil && catalog.CodeOf(err) != catalog.NotFound {
		r.log.Error("tidy a repository", "repository", ref, "error", err)
	}
}

func (r *Repositories) mergePacks(ctx context.Context, ref catalog.ImageRef) error {
	place, err := os.Stat(r.path(ref))
	if err != nil {
		return catalog.Wrap(catalog.NotFound, err, "%s has no git repository", ref)
	}
	repo, err := r.open(ref)
	if err != nil {
		return err
	}
	defer discard(repo)
	shallow, err := repo.shallow()
	if err != nil {
		return err
	}
	stage, err := r.stage()
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(stage) }() // the next start removes what is left
	// Packs never change and are removed here alone, so this needs no lock.
	merged, err := repo.Merge(ctx, stage, shallow)
	if merged == nil || err != nil {
		return err
	}
	defer discard(merged)
	defer r.lock(ref)()
	if err := repo.isStill(place); err != nil {
		return errors.Join(err, ctx.Err())
	}
	return merged.Replace(filepath.Join(repo.dir, "objects"))
}

// droppedAtOnce is how many refs' files are removed before a push is let in.
const droppedAtOnce = 500

func (r *Repositories) packRefs(ctx context.Context, ref catalog.ImageRef) error {
	repo, err := r.open(ref)
	if err != nil {
		return err
	}
	defer discard(repo)
	many, err := repo.hasManyLoose()
	if !many || err != nil {
		return err
	}
	unlock := r.lock(ref)
	place, err := os.Stat(repo.dir)
	var packed []gitRef
	if err == nil {
		packed, err = repo.packRefs()
	}
	unlock()
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(packed, droppedAtOnce) {
		if err := errors.Join(r.dropLoose(repo, place, batch), ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

func (r *Repositories) dropLoose(repo *repository, place os.FileInfo, refs []gitRef) error {
	defer r.lock(repo.ref)()
	if err := repo.isStill(place); err != nil {
		return err
	}
	return repo.dropLoose(refs)
}
