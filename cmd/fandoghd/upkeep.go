package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/registry"
	"github.com/fandoghpaas/fandogh/catalog/web"
	"github.com/fandoghpaas/fandogh/internal/diskspace"
)

// upkeep does for administrators, on pages, what they else do at the shell.
type upkeep struct {
	daemon *daemon
	sizes  *dataSizes
	asked  chan struct{} // holds one token while a collection is asked for

	mu   sync.Mutex
	last web.Collection
}

func newUpkeep(d *daemon) *upkeep {
	return &upkeep{daemon: d, sizes: d.sizes, asked: make(chan struct{}, 1)}
}

// Findings implements web.Operator.
func (u *upkeep) Findings(ctx context.Context) (all []web.Finding) {
	c := *u.daemon.reloaded.Load()
	for _, check := range checks {
		if check.managed && len(c.Builder.Addresses) > 0 {
			continue
		}
		for _, f := range check.look(ctx, c) {
			all = append(all, web.Finding{Check: check.name, Level: web.Level(f.level), What: f.what, Try: f.try})
		}
	}
	return all
}

// Disk implements web.Operator.
func (u *upkeep) Disk(context.Context) (web.Disk, error) {
	dir := u.daemon.config.Data
	space, err := diskspace.Of(dir)
	if err != nil {
		return web.Disk{}, err
	}
	disk := web.Disk{Free: space.Free, Size: space.Size, Short: u.daemon.disk.Short()}
	sizes := u.sizes.sizes()
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		disk.Parts = append(disk.Parts, web.DiskPart{Name: name, Bytes: sizes[name]})
	}
	slices.SortStableFunc(disk.Parts, func(a, b web.DiskPart) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return disk, nil
}

// Collect implements web.Operator.
func (u *upkeep) Collect(by string, dryRun bool) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.last.Began.IsZero() && u.last.Ended.IsZero() {
		return catalog.Errorf(catalog.Conflict, "image data is being collected already; wait for what comes of it")
	}
	u.last = web.Collection{By: by, DryRun: dryRun, Began: time.Now()}
	u.asked <- struct{}{} // it has room, as the one before has ended
	return nil
}

// Collected implements web.Operator.
func (u *upkeep) Collected() web.Collection {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.last
}

// run collects what is asked for until ctx ends.
func (u *upkeep) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-u.asked:
		}
		asked := u.Collected()
		done, err := u.daemon.registry.Collect(ctx, registry.CollectOptions{Grace: u.daemon.config.Registry.Grace.Std(), DryRun: asked.DryRun})
		if err != nil && ctx.Err() == nil {
			u.daemon.log.Error("failed to collect unused blobs", "error", err)
			asked.Failed = catalog.MessageOf(err)
		}
		amount := func(c registry.BlobCount) web.Amount { return web.Amount(c) }
		asked.Ended, asked.Freed, asked.Kept, asked.Uploads = time.Now(), amount(done.Freed), amount(done.Kept), amount(done.Uploads)
		u.mu.Lock()
		u.last = asked
		u.mu.Unlock()
	}
}
