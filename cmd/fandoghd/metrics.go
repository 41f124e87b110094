package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/fandoghpaas/fandogh/hooks/github"
	"github.com/fandoghpaas/fandogh/hooks/notify"
	"github.com/fandoghpaas/fandogh/internal/diskspace"
	"github.com/fandoghpaas/fandogh/internal/metrics"
)

// serveMetrics serves what is counted to who reaches its own listener.
func (d *daemon) serveMetrics(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", d.metrics.Handler())
	return d.serveOn(ctx, d.metricsListener, mux)
}

// watchState has each scrape ask how things stand.
func (d *daemon) watchState(context.Context) error {
	return d.metrics.Watch(
		metrics.Gauge{Name: "builds", Label: "state", Help: "Builds that wait and run.", Read: d.queueLengths},
		metrics.Gauge{Name: "build_oldest_wait_seconds", Help: "How long the build has waited that waits longest.", Read: metrics.Single(d.oldestWait)},
		metrics.Gauge{Name: "queue_paused", Help: "Whether an administrator paused the queue: 1, or 0.", Read: metrics.Single(d.queuePaused)},
		metrics.Gauge{Name: "up", Label: "check", Help: "Whether what a push needs works: 1, or 0.", Read: d.checkAll},
		metrics.Gauge{Name: "ssh_connections", Help: "Connections to the git server.", Read: metrics.Single(func(context.Context) (float64, error) { return float64(d.git.Connections()), nil })},
		metrics.Gauge{Name: "events_behind", Label: "consumer", Help: "Events that happened and that a consumer has not dealt with.", Read: d.eventsBehind},
		metrics.Gauge{Name: "disk_free_bytes", Help: "Free space on the data directory's disk.", Read: d.readDisk(func(s diskspace.Space) int64 { return s.Free })},
		metrics.Gauge{Name: "disk_size_bytes", Help: "Size of the data directory's disk.", Read: d.readDisk(func(s diskspace.Space) int64 { return s.Size })},
		metrics.Gauge{Name: "disk_least_free_bytes", Help: "With less free space pushes, uploads and builds are refused.", Read: d.readDisk(func(s diskspace.Space) int64 { return diskLimits(d.reloaded.Load().Disk).LeastFree(s.Size) })},
		metrics.Gauge{Name: "backup_timestamp_seconds", Help: "When the last complete backup was begun; left out without any.", Read: d.lastBackup},
		metrics.Gauge{Name: "certificate_expiry_timestamp_seconds", Help: "When the TLS certificate ends, the first of several; left out without any.", Read: d.certificateEnd},
		metrics.Gauge{Name: "data_bytes", Label: "kind", Help: "What the entries of the data directory take on disk; measured at most every ten minutes.", Read: d.sizes.read},
	)
}

func (d *daemon) queueLengths(ctx context.Context) ([]metrics.Value, error) {
	q, err := d.store.QueueState(ctx)
	return []metrics.Value{{Label: "waiting", Value: float64(q.Waiting)}, {Label: "running", Value: float64(q.Running)}}, err
}

func (d *daemon) oldestWait(ctx context.Context) (float64, error) {
	q, err := d.store.QueueState(ctx)
	if err != nil || q.Oldest.IsZero() {
		return 0, err
	}
	return time.Since(q.Oldest).Seconds(), nil
}

func (d *daemon) queuePaused(ctx context.Context) (float64, error) {
	pause, err := d.store.QueuePause(ctx)
	if pause.Paused() {
		return 1, err
	}
	return 0, err
}

// checkAll takes the answers of /readyz, for the checks cost something.
func (d *daemon) checkAll(ctx context.Context) ([]metrics.Value, error) {
	var all []metrics.Value
	for name, ready := range d.rest.Ready(ctx) {
		up := 0.0
		if ready {
			up = 1
		}
		all = append(all, metrics.Value{Label: name, Value: up})
	}
	return all, nil
}

func (d *daemon) eventsBehind(ctx context.Context) ([]metrics.Value, error) {
	var all []metrics.Value
	for _, consumer := range []string{github.Consumer, notify.Consumer} {
		behind, err := d.store.EventsBehind(ctx, consumer)
		if err != nil {
			return nil, err
		}
		all = append(all, metrics.Value{Label: consumer, Value: float64(behind)})
	}
	return all, nil
}

// readDisk reads what pick takes of the data directory's disk, in bytes.
func (d *daemon) readDisk(pick func(diskspace.Space) int64) func(context.Context) ([]metrics.Value, error) {
	return metrics.Single(func(context.Context) (float64, error) {
		s, err := diskspace.Of(d.config.Data)
		return float64(pick(s)), err
	})
}

// lastBackup reads what the last backup left.
func (d *daemon) lastBackup(context.Context) ([]metrics.Value, error) {
	at, err := lastBackup(d.config.Data)
	return timestamp(at), err
}

func (d *daemon) certificateEnd(ctx context.Context) ([]metrics.Value, error) {
	if d.certificate != nil {
		return timestamp(d.certificate.end()), nil // of what clients get, whatever the files have
	}
	at, err := certificateEnd(ctx, d.config.HTTP.TLS, d.config.DataPath("acme"))
	return timestamp(at), err
}

// timestamp is a time as metrics have it, and no value where there is none.
func timestamp(at time.Time) []metrics.Value {
	if at.IsZero() {
		return nil
	}
	return []metrics.Value{{Value: float64(at.Unix())}}
}

// measureEvery is how long sizes that were measured are good.
const measureEvery = 10 * time.Minute

// dataSizes knows how large the entries of the data directory are.
type dataSizes struct {
	dir       string
	measuring atomic.Bool
	known     atomic.Pointer[measuredSizes]
}

type measuredSizes struct {
	at    time.Time
	sizes map[string]int64
}

// read is sizes as metrics have them.
func (s *dataSizes) read(context.Context) ([]metrics.Value, error) { return valuesOf(s.sizes()), nil }

// sizes returns what is known, and measures it anew, beside who asks, when that is old.
func (s *dataSizes) sizes() map[string]int64 {
	known := s.known.Load()
	if (known == nil || time.Since(known.at) > measureEvery) && s.measuring.CompareAndSwap(false, true) {
		go func() {
			defer s.measuring.Store(false)
			s.known.Store(&measuredSizes{time.Now(), measureData(s.dir)})
		}()
	}
	if known == nil {
		return nil
	}
	return known.sizes
}

// measureData returns the sizes of what a data directory has, by kind.
func measureData(dir string) map[string]int64 {
	entries, _ := os.ReadDir(dir) // what can't be read is not there
	sizes := map[string]int64{}
	for _, e := range entries {
		sizes[kindOf(e.Name())] += diskspace.Used(filepath.Join(dir, e.Name()))
	}
	return sizes
}

func valuesOf(sizes map[string]int64) (values []metrics.Value) {
	for kind, size := range sizes {
		values = append(values, metrics.Value{Label: kind, Value: float64(size)})
	}
	return values
}

// kindOf names what an entry of the data directory is, by one of few names.
func kindOf(entry string) string {
	switch entry {
	case "repos", "registry", "logs", "mirror", "times", "uploads":
		return entry
	case "buildkit":
		return "build_cache"
	case "fandogh.db", "fandogh.db-wal", "fandogh.db-shm":
		return "database"
	}
	return "other"
}
