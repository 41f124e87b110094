package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/periodic"
)

// remover deletes the files of what deletions took from the catalog.
type remover struct {
	daemon *daemon
	// Held while anything is removed: afterwards its name may be another's.
	mu sync.Mutex
}

// Remove implements rest.Remover.
func (r *remover) Remove(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	removals, err := r.daemon.store.Removals(ctx)
	if err != nil {
		r.daemon.log.Error("failed to look up what to remove", "error", err)
	}
	for _, removal := range removals {
		err := r.remove(ctx, removal)
		if err == nil {
			err = r.daemon.store.EndRemoval(ctx, removal.ID)
		}
		if err != nil && ctx.Err() == nil {
			r.daemon.log.Error("failed to remove deleted data; it will be retried", "image", removal.Image, "version", removal.Version, "error", err)
		}
	}
}

func (r *remover) remove(ctx context.Context, removal catalog.Removal) error {
	if removal.Image.Name == "" {
		return r.daemon.registry.DeleteNamespace(removal.Image.Namespace)
	}
	if removal.Version == "" {
		return errors.Join(
			r.daemon.registry.DeleteImage(ctx, removal.Image),
			r.daemon.repos.Delete(ctx, removal.Image),
			r.daemon.solver.ForgetImage(removal.Image, removal.ImageID),
			r.daemon.builder.RemoveLogs(removal.Builds),
		)
	}
	return errors.Join(
		r.daemon.repos.WithdrawTag(ctx, removal.Image, removal.Version, removal.Commit),
		r.daemon.registry.DeleteVersion(ctx, removal.Image, catalog.Version{Name: removal.Version, Digest: removal.Digest}),
		r.daemon.builder.RemoveLogs(removal.Builds),
	)
}

// mendInterval is how often is tried again what a full disk or another fault that
// passes kept from being done.
const mendInterval = time.Minute

// mend brings to an end what a crash cut short, and from then on what could not be
// done at its time. What it can't mend is a warning: all the rest must be served.
func (d *daemon) mend(ctx context.Context) error {
	d.remover.Remove(ctx)
	if err := d.hooks.Reconcile(ctx); err != nil && ctx.Err() == nil {
		d.log.Warn("failed to reconcile some tags and versions", "error", err)
	}
	periodic.Run(ctx, mendInterval, func(ctx context.Context) {
		d.remover.Remove(ctx)
		if err := d.hooks.WithdrawUnqueued(ctx, time.Now().Add(-mendInterval)); err != nil && ctx.Err() == nil {
			d.log.Warn("failed to withdraw some refused tags", "error", err)
		}
	})
	return nil
}
