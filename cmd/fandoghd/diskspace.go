package main

import (
	"context"
	"time"

	"github.com/docker/go-units"

	"github.com/fandoghpaas/fandogh/builder/buildkitd"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/registry"
	"github.com/fandoghpaas/fandogh/config"
	"github.com/fandoghpaas/fandogh/internal/diskspace"
)

// diskLimits are the settings of when the disk is nearly full.
func diskLimits(c config.Disk) diskspace.Limits {
	return diskspace.Limits{MinFree: int64(c.MinFree), MaxUsed: c.MaxUsed}
}

// openDisk makes what knows whether the data directory's disk is nearly full.
func (d *daemon) openDisk(context.Context) error {
	d.disk = diskspace.New(diskspace.Config{
		Dir: d.config.Data, Limits: diskLimits(d.config.Disk), Free: d.freeDisk,
		Opened: func() { d.builder.Wake() }, // which is made later
		Logger: d.log.Named("disk"),
	})
	return nil
}

// cacheFree is what caches leave free: with less, they would make the disk nearly full by themselves.
func (d *daemon) cacheFree() int64 {
	space, err := diskspace.Of(d.config.Data)
	if err != nil {
		return 0
	}
	return diskLimits(d.config.Disk).Enough(space.Size)
}

// freeDisk removes caches that builds can do without, and image data that nobody needs.
func (d *daemon) freeDisk(ctx context.Context, enough int64) {
	if d.managed != nil {
		freed, err := buildkitd.Prune(ctx, d.managed.Address(), enough)
		if err != nil {
			d.log.Warn("failed to free disk space of the build cache", "error", err)
		}
		d.log.Info("removed build cache, for the disk is nearly full", "freed", units.BytesSize(float64(freed)))
	}
	if d.mirror != nil && d.disk.Err() != nil {
		pruned, err := d.mirror.PruneMirrored(ctx, catalog.MirrorFilter{UnusedBefore: time.Now().Add(-time.Hour)})
		if err != nil {
			d.log.Warn("failed to free disk space of other registries' images", "error", err)
		}
		d.log.Info("removed images of other registries that no build used lately, for the disk is nearly full", "freed", units.BytesSize(float64(pruned.Bytes)))
	}
	d.registry.CollectNow(ctx, registry.CollectOptions{Grace: d.config.Registry.Grace.Std(), EmptyTrash: true})
	d.pruneRepositories(ctx)
}

// pingDisk reports whether the disk has room: that it is full says more than that it is nearly so. Errors: Unavailable.
func (d *daemon) pingDisk(ctx context.Context) error {
	if err := (&buildkitd.Disk{Dir: d.config.Data}).Ping(ctx); err != nil {
		return err
	}
	return d.disk.Err()
}
