package buildkitd

import (
	"context"
	"slices"
	"time"

	"github.com/moby/buildkit/client"
)

// recordsInterval is how often the records of the build cache are counted.
const recordsInterval = 2 * time.Minute

// boundRecords has buildkitd remove what was used longest ago where its cache has more than KeepRecords records, some
// more than is needed so that it is not to be done at each look. buildkitd itself bounds the cache by its size alone, and holds
// all records in its memory, of which a small one takes as much as a large one: some tens of KiB.
func (m *Manager) boundRecords(ctx context.Context) {
	if m.cfg.KeepRecords <= 0 || !m.counting.TryLock() {
		return
	}
	defer m.counting.Unlock()
	err := m.ask(ctx, func(c *client.Client, _ []*client.WorkerInfo) error {
		records, err := c.DiskUsage(ctx)
		if err != nil || len(records) <= m.cfg.KeepRecords {
			return err
		}
		used := make([]time.Time, len(records))
		for i, r := range records {
			used[i] = r.CreatedAt
			if r.LastUsedAt != nil {
				used[i] = *r.LastUsedAt
			}
		}
		slices.SortFunc(used, func(a, b time.Time) int { return b.Compare(a) })
		oldest := used[m.cfg.KeepRecords-m.cfg.KeepRecords/10-1]
		m.log.Info("removing build cache: there are too many parts of it", "parts", len(records), "kept", m.cfg.KeepRecords, "unused_since", oldest.UTC())
		return c.Prune(ctx, nil, client.WithKeepOpt(time.Since(oldest), 0, 0, 0), client.PruneAll)
	})
	if err != nil && ctx.Err() == nil {
		m.log.Warn("failed to bound the parts of the build cache; it will be retried", "error", err)
	}
}
