package main

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// settleTime is how long a daemon is left alone before its memory is read.
const settleTime = 3 * time.Second

// start is row 9: the daemon alone, without a buildkitd of its own.
func start(ctx context.Context, b *bench) ([]measure, error) {
	ready := measure{row: 9, what: "start to ready, first start included", size: "daemon alone", unit: "s", goal: 1}
	idle := measure{row: 9, what: "idle memory", size: "daemon alone", unit: "MB", goal: 60}
	dir := b.path("start")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	env := []string{"FANDOGH_BUILDER_ADDRESSES=unix://" + filepath.Join(dir, "nobody.sock")}
	for range b.rounds {
		d := &daemon{bench: b, data: filepath.Join(dir, "data")}
		took, err := seconds(func() error { return d.run(ctx, dir, env, "/healthz") })
		if err != nil {
			return nil, err
		}
		ready.ours = append(ready.ours, took)
		if err := pause(ctx, settleTime); err != nil {
			return nil, err
		}
		now, _ := d.memory()
		idle.ours = append(idle.ours, now)
		d.stop()
	}
	return []measure{ready, idle}, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
