//go:build linux

package buildkitd

import (
	"testing"
	"time"

	"github.com/moby/buildkit/client"

	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/builder/workers"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// The cache's size bounds nothing here: its records are next to empty.
func TestRecordsAreBounded(t *testing.T) {
	const keep, made = 20, 60
	cfg := managerConfig(t.TempDir(), env.Registry)
	cfg.KeepRecords = keep
	m := newManager(t, cfg)
	m.timing = timing{backoff: firstBackoff, health: healthInterval, answer: workers.Timeout, records: 50 * time.Millisecond}
	buildkittest.RunReady(t, m)
	records := func() (ids []string, newest time.Time) {
		err := m.ask(t.Context(), func(c *client.Client, _ []*client.WorkerInfo) error {
			all, err := c.DiskUsage(t.Context())
			for _, r := range all {
				ids = append(ids, r.ID)
				if r.CreatedAt.After(newest) {
					newest = r.CreatedAt
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return ids, newest
	}
	seen := map[string]bool{}
	for range made {
		if err := m.try(t.Context()); err != nil {
			t.Fatal(err)
		}
		ids, _ := records()
		for _, id := range ids {
			seen[id] = true
		}
	}
	if len(seen) < made {
		t.Fatalf("%d builds made only %d records", made, len(seen))
	}
	_, newest := records()
	testkit.Eventually(t, "the cache has few records", func() bool { ids, _ := records(); return len(ids) <= keep })
	ids, now := records()
	if len(ids) < keep/2 || now.Before(newest) {
		t.Errorf("%d records are left, the newest from %s, and one was made at %s", len(ids), now, newest)
	}
}
