package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/backup"
	"github.com/fandoghpaas/fandogh/internal/periodic"
)

// remover deletes the files of what deletions took from the catalog, and moves those of images that were transferred.
type remover struct {
	daemon *daemon
	// Held while anything is removed or moved: afterwards its name may be another's.
	mu sync.Mutex
}

// Remove implements rest.Remover. While a backup runs it removes nothing, and moves nothing.
func (r *remover) Remove(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	done, err := backup.Removing(r.daemon.config.Data)
	if err != nil {
		if catalog.CodeOf(err) != catalog.Unavailable { // else it is removed when the backup has ended
			r.daemon.log.Error("failed to remove deleted data; it will be retried", "error", err)
		}
		return
	}
	defer done()
	moving := r.move(ctx)
	removals, err := r.daemon.store.Removals(ctx)
	if err != nil {
		r.daemon.log.Error("failed to look up what to remove", "error", err)
	}
	for _, group := range together(removals) {
		if moving[group[0].ImageID] {
			continue // its files have another name yet
		}
		// Together, as each takes a look at all other versions. What fails of them is done, or told of, one by one.
		gone := len(group) > 1 && r.daemon.registry.DeleteVersions(ctx, group[0].Image, versionsOf(group)) == nil
		for _, removal := range group {
			err := r.remove(ctx, removal, gone)
			if err == nil {
				err = r.daemon.store.EndRemoval(ctx, removal.ID)
			}
			if err != nil && ctx.Err() == nil {
				r.daemon.log.Error("failed to remove deleted data; it will be retried", "image", removal.Image, "version", removal.Version, "error", err)
			}
		}
	}
}

// together returns removals in their order, those of versions of one image that follow one another as one group.
func together(removals []catalog.Removal) (groups [][]catalog.Removal) {
	for i, removal := range removals {
		if i > 0 && removal.Version != "" && removals[i-1].Version != "" && removals[i-1].ImageID == removal.ImageID {
			groups[len(groups)-1] = append(groups[len(groups)-1], removal)
			continue
		}
		groups = append(groups, []catalog.Removal{removal})
	}
	return groups
}

func versionsOf(removals []catalog.Removal) (versions []catalog.Version) {
	for _, r := range removals {
		versions = append(versions, catalog.Version{Name: r.Version, Digest: r.Digest})
	}
	return versions
}

// remove removes what is left of one deletion; gone says that the registry has nothing of it any more.
func (r *remover) remove(ctx context.Context, removal catalog.Removal, gone bool) error {
	if removal.Image.Name == "" {
		return r.daemon.registry.DeleteNamespace(removal.Image.Namespace)
	}
	withdrawn := r.withdraw(ctx, removal)
	if removal.Version == "" {
		return errors.Join(
			withdrawn,
			r.daemon.registry.DeleteImage(removal.Image),
			r.daemon.repos.Delete(ctx, removal.Image),
			r.daemon.solver.ForgetImage(removal.Image, removal.ImageID),
			r.removeLogs(removal),
		)
	}
	if !gone {
		withdrawn = errors.Join(withdrawn, r.daemon.registry.DeleteVersions(ctx, removal.Image, versionsOf([]catalog.Removal{removal})))
	}
	return errors.Join(withdrawn, r.removeLogs(removal))
}

func (r *remover) removeLogs(removal catalog.Removal) error {
	_, err := r.daemon.builder.RemoveLogs(removal.Builds)
	return err
}

// moveImage moves an image's files to its name. Each step may be done again after a crash, and nothing of the image is used before the last.
func (r *remover) moveImage(ctx context.Context, m catalog.Move) error {
	err := errors.Join(
		r.daemon.repos.Rename(ctx, m.From, m.To),
		r.daemon.registry.Rename(ctx, m.From, m.To),
		r.daemon.solver.ForgetImage(m.From, m.ImageID), // which goes by the name
	)
	if err == nil {
		err = r.daemon.store.EndMove(ctx, m.ID)
	}
	if err != nil {
		return err
	}
	return r.daemon.registry.EndRename(m.To)
}

// withdraw takes back the tags of what is gone, and the hidden refs.
func (r *remover) withdraw(ctx context.Context, removal catalog.Removal) error {
	var errs []error
	if len(removal.Kept) > 0 {
		errs = append(errs, r.daemon.repos.DropKept(ctx, removal.Source, removal.Kept))
	}
	for _, tag := range removal.Tags {
		errs = append(errs, r.daemon.repos.WithdrawTag(ctx, removal.Source, tag.Name, tag.Commit))
	}
	return errors.Join(errs...)
}

// mendInterval is how often is tried again what a full disk or another fault that
// passes kept from being done.
const mendInterval = time.Minute

// modulesTime is how long what was fetched of submodules is kept after a build last asked for it.
const modulesTime = 30 * 24 * time.Hour

// mend brings to an end what a crash cut short, and from then on what could not be
// done at its time. What it can't mend is a warning: all the rest must be served.
func (d *daemon) mend(ctx context.Context) error {
	d.remover.Remove(ctx)
	if err := d.hooks.Reconcile(ctx); err != nil && ctx.Err() == nil {
		d.log.Warn("failed to reconcile some tags and versions", "error", err)
	}
	periodic.Run(ctx, mendInterval, func(ctx context.Context) {
		d.remover.Remove(ctx)
		if err := d.repos.PruneModules(time.Now().Add(-modulesTime)); err != nil {
			d.log.Warn("failed to remove submodules that no build used lately", "error", err)
		}
		if err := d.hooks.WithdrawUnqueued(ctx, time.Now().Add(-mendInterval)); err != nil && ctx.Err() == nil {
			d.log.Warn("failed to withdraw some refused tags", "error", err)
		}
	})
	return nil
}
