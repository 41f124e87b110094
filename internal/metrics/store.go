package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// store counts builds and jobs on their way into the store that is in it.
type store struct {
	catalog.Store
	metrics *Metrics

	mu      sync.Mutex
	started map[int64]time.Time       // of builds that were claimed here and have not ended
	kinds   map[int64]catalog.JobKind // of jobs that were claimed here and have not ended
}

// Store returns s, with what is queued, claimed and ended by way of it counted.
func (m *Metrics) Store(s catalog.Store) catalog.Store {
	if m == nil {
		return s
	}
	return &store{Store: s, metrics: m, started: map[int64]time.Time{}, kinds: map[int64]catalog.JobKind{}}
}

// QueueBuilds is as catalog.Builds has it.
func (s *store) QueueBuilds(ctx context.Context, builds []catalog.NewBuild) ([]catalog.QueuedBuild, error) {
	queued, err := s.Store.QueueBuilds(ctx, builds)
	for _, q := range queued {
		if !q.Attached {
			s.metrics.queued.WithLabelValues(string(q.Trigger)).Inc()
		}
	}
	return queued, err
}

// ClaimBuild is as catalog.Builds has it.
func (s *store) ClaimBuild(ctx context.Context, workerID string, busiest int, now, until time.Time) (catalog.Build, error) {
	b, err := s.Store.ClaimBuild(ctx, workerID, busiest, now, until)
	if err != nil {
		return b, err
	}
	if b.Attempts == 1 {
		s.metrics.buildWait.Observe(between(b.QueuedAt, b.StartedAt))
	}
	remember(s, s.started, b.ID, b.StartedAt)
	return b, nil
}

// ReleaseBuild is as catalog.Builds has it.
func (s *store) ReleaseBuild(ctx context.Context, buildID int64, workerID string, notBefore time.Time, refund bool) error {
	err := s.Store.ReleaseBuild(ctx, buildID, workerID, notBefore, refund)
	if left(err) {
		recall(s, s.started, buildID)
	}
	return err
}

// FinishBuild is as catalog.Builds has it.
func (s *store) FinishBuild(ctx context.Context, buildID int64, workerID string, r catalog.BuildResult) error {
	err := s.Store.FinishBuild(ctx, buildID, workerID, r)
	if !left(err) {
		return err
	}
	started, known := recall(s, s.started, buildID)
	if err == nil {
		s.metrics.ended.WithLabelValues(string(r.Outcome)).Inc()
	}
	if err == nil && known {
		s.metrics.buildDuration.WithLabelValues(string(r.Outcome)).Observe(between(started, r.EndedAt))
	}
	return err
}

// CancelBuild is as catalog.Builds has it.
func (s *store) CancelBuild(ctx context.Context, buildID int64, now time.Time) (catalog.Build, error) {
	b, err := s.Store.CancelBuild(ctx, buildID, now)
	if err == nil && b.State.Ended() {
		s.metrics.ended.WithLabelValues(string(b.Outcome)).Inc()
	}
	return b, err
}

// ClaimJob is as catalog.Jobs has it.
func (s *store) ClaimJob(ctx context.Context, kinds []catalog.JobKind, workerID string, busiest int, now, until time.Time) (catalog.Job, error) {
	j, err := s.Store.ClaimJob(ctx, kinds, workerID, busiest, now, until)
	if err == nil {
		remember(s, s.kinds, j.ID, j.Kind)
	}
	return j, err
}

// EndJob is as catalog.Jobs has it.
func (s *store) EndJob(ctx context.Context, id int64, workerID string, state catalog.JobState, answer string, now time.Time) error {
	err := s.Store.EndJob(ctx, id, workerID, state, answer, now)
	s.attempted(id, string(state), err)
	return err
}

// RetryJob is as catalog.Jobs has it.
func (s *store) RetryJob(ctx context.Context, id int64, workerID string, notBefore time.Time, answer string, refund bool) error {
	err := s.Store.RetryJob(ctx, id, workerID, notBefore, answer, refund)
	s.attempted(id, "retried", err)
	return err
}

func (s *store) attempted(jobID int64, result string, err error) {
	if !left(err) {
		return
	}
	if kind, known := recall(s, s.kinds, jobID); known && err == nil {
		s.metrics.jobs.WithLabelValues(string(kind), result).Inc()
	}
}

// left reports whether something was given back to the store, or is no longer its worker's: else it is tried again.
func left(err error) bool { return err == nil || catalog.CodeOf(err) == catalog.Conflict }

func remember[T any](s *store, what map[int64]T, id int64, value T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	what[id] = value
}

func recall[T any](s *store, what map[int64]T, id int64) (T, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := what[id]
	delete(what, id)
	return value, ok
}

// between returns the seconds between two times, 0 where the clock was set back meanwhile: a sum that becomes less looks as if the daemon had been started anew.
func between(from, to time.Time) float64 { return max(0, to.Sub(from).Seconds()) }
