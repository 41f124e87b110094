package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// idleTime is how long a daemon is left alone before its memory is read.
const idleTime = 3 * time.Second

// start is row 9: the daemon alone, without a buildkitd of its own, in a new
// directory each time and then in one with many versions.
func start(ctx context.Context, b *bench) ([]measure, error) {
	first := measure{row: 9, what: "first start to ready", size: "empty directory", unit: "s", goal: 1}
	for range b.rounds {
		d, err := b.newAlone()
		if err != nil {
			return nil, err
		}
		if err := d.startAlone(ctx, &first, nil); err != nil {
			return nil, err
		}
	}
	all := []measure{first}
	sizes := []int{0}
	if b.scale {
		sizes = []int{0, 1000, 1_000_000}
	}
	for _, size := range sizes {
		measures, err := b.startWith(ctx, size)
		all = append(all, measures...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// startWith starts a daemon again and again whose store has versions.
func (b *bench) startWith(ctx context.Context, versions int) ([]measure, error) {
	shown := fmt.Sprintf("%d versions", versions)
	ready := measure{row: 9, what: "start to ready", size: shown, n: float64(versions), unit: "s", goal: 1}
	idle := measure{row: 9, what: "idle memory", size: shown, n: float64(versions), unit: "MB", goal: 60}
	d, err := b.newAlone()
	if err != nil {
		return nil, err
	}
	var unused measure
	if err := d.startAlone(ctx, &unused, nil); err != nil {
		return nil, err
	}
	if versions > 0 {
		if err := d.AddUser(ctx, user, ""); err != nil {
			return nil, err
		}
		if err := d.fillVersions(ctx, versions); err != nil {
			return nil, err
		}
	}
	for range b.rounds {
		if err := d.startAlone(ctx, &ready, &idle); err != nil {
			return nil, err
		}
	}
	return []measure{ready, idle}, nil
}

// newAlone is a daemon that is not started yet.
func (b *bench) newAlone() (*daemon, error) {
	return b.newDaemon(b.path("start"))
}

// startAlone runs the daemon once, for idleTime more when memory is asked for.
func (d *daemon) startAlone(ctx context.Context, ready, idle *measure) error {
	dir := filepath.Dir(d.Data)
	env := []string{"FANDOGH_BUILDER_ADDRESSES=unix://" + filepath.Join(dir, "nobody.sock")}
	took, err := seconds(func() error { return d.Run(ctx, "/healthz", env) })
	defer d.stop()
	if err != nil {
		return err
	}
	ready.ours = append(ready.ours, took)
	if idle == nil {
		return nil
	}
	if err := pause(ctx, idleTime); err != nil {
		return err
	}
	now, _ := resident(d.Process)
	idle.ours = append(idle.ours, now)
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
