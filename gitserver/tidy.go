package gitserver

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/fandoghpaas/fandogh/catalog"
)

// tidy merges a repository's packs when there are many: every push leaves one.
// It is for after a push; what fails here is tried again after the next. At most
// one repository is tidied at a time.
func (r *Repositories) tidy(ctx context.Context, ref catalog.ImageRef) {
	if !r.tidying.TryLock() {
		return
	}
	defer r.tidying.Unlock()
	if err := r.mergePacks(ctx, ref); err != nil && ctx.Err() == nil && catalog.CodeOf(err) != catalog.NotFound {
		r.log.Error("merge a repository's packs", "repository", ref, "error", err)
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
