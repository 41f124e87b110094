package main

import (
	"context"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
	"github.com/fandoghpaas/fandogh/internal/periodic"
)

const (
	// busyPause is how long is waited when a backup runs, or a repository is being changed.
	busyPause = time.Minute
	// busyTries is how often it is tried at most: what is left then is looked at in the next interval.
	busyTries = 60
)

// pruneGit removes on a schedule, until ctx ends, what no ref or version of repositories leads to any more.
func (d *daemon) pruneGit(ctx context.Context) error {
	periodic.Run(ctx, d.config.Git.GCInterval.Std(), func(ctx context.Context) {
		left := d.pruneRepositories(ctx)
		for tries := 1; len(left) > 0 && tries < busyTries; tries++ {
			select {
			case <-ctx.Done():
				return
			case <-time.After(busyPause):
				left = d.prune(ctx, left)
			}
		}
	})
	return nil
}

// pruneRepositories looks through all once, and returns those that are to be tried again soon.
func (d *daemon) pruneRepositories(ctx context.Context) (again []catalog.ImageRef) {
	all, err := d.repos.Repositories(ctx)
	if err != nil {
		d.log.Error("failed to look for repositories", "error", err)
	}
	return d.prune(ctx, all)
}

func (d *daemon) prune(ctx context.Context, repositories []catalog.ImageRef) (again []catalog.ImageRef) {
	for _, ref := range repositories {
		if ctx.Err() != nil {
			return nil
		}
		start := time.Now()
		done, err := d.repos.Prune(ctx, ref, start, d.reloaded.Load().Git.Grace.Std())
		if done != (repository.Pruned{}) {
			d.log.Info("removed unneeded objects of a repository", "repository", ref, "objects", done.Objects, "bytes", done.Bytes,
				"lfs_objects", done.Large, "lfs_bytes", done.LargeBytes, "took", time.Since(start).Round(time.Millisecond))
		}
		switch code := catalog.CodeOf(err); {
		case code == catalog.NotFound, code == catalog.Moved, ctx.Err() != nil: // of no image any more, or not yet
		case code == catalog.Unavailable:
			again = append(again, ref)
		case err != nil:
			d.log.Error("failed to remove unneeded objects of a repository", "repository", ref, "error", err)
		}
	}
	return again
}
