package builder_test

import (
	"context"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

func TestRetries(t *testing.T) {
	for name, c := range map[string]struct {
		retry    builder.Retry
		failures int
		outcome  catalog.Outcome
		attempts int
		log      string
	}{
		"BuildKit goes away":      {builder.RetryFree, 10, catalog.OutcomeBuilt, 1, "fault: it failed. Trying again in "},
		"BuildKit always goes":    {builder.RetryFree, 11, catalog.OutcomeInfrastructure, 1, "BuildKit stopped 11 times while it ran this build, perhaps because of it; the last time: it failed"},
		"a registry has trouble":  {builder.RetryLater, 4, catalog.OutcomeBuilt, 1, "fault: it failed. Trying again in "},
		"a registry is gone":      {builder.RetryLater, 5, catalog.OutcomeInfrastructure, 1, "not built (infrastructure): it failed"},
		"something here":          {builder.RetrySoon, 2, catalog.OutcomeBuilt, 3, "attempt 3 of 3"},
		"something here for good": {builder.RetrySoon, 3, catalog.OutcomeInfrastructure, 3, "not built (infrastructure): it failed"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newEnv(t)
			solves := 0
			b := h.builder(func(ctx context.Context, r builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
				if solves++; solves <= c.failures {
					return builder.SolveResult{}, &builder.SolveError{Outcome: catalog.OutcomeInfrastructure, Message: "it failed", Retry: c.retry}
				}
				return built(ctx, r, progress)
			})
			h.run(b)
			id := h.submit(b, h.newBuild(h.image("alice", "app"), "v1", commitA))[0].ID
			build, lines := h.follow(b, id)
			if recorded, _ := h.recorded(id); build.Outcome != c.outcome || recorded.Attempts != c.attempts {
				t.Errorf("ended %s after %d attempts: %v", build.Outcome, recorded.Attempts, lines)
			}
			wantLog(t, lines, c.log)
		})
	}
}

// What is elsewhere is waited for, but not longer than a build may take.
func TestRetriesEndWithTheBuildsTimeout(t *testing.T) {
	h := newEnv(t)
	solves := 0
	b := h.builder(func(context.Context, builder.SolveRequest, func(builder.Event)) (builder.SolveResult, error) {
		solves++
		return builder.SolveResult{}, &builder.SolveError{Outcome: catalog.OutcomeInfrastructure, Message: "it failed", Retry: builder.RetryLater}
	}, func(c *builder.Config) { c.RetryDelay, c.Timeout = time.Hour, time.Minute })
	h.run(b)
	id := h.submit(b, h.newBuild(h.image("alice", "app"), "v1", commitA))[0].ID
	if build, lines := h.follow(b, id); build.Outcome != catalog.OutcomeInfrastructure || solves != 1 {
		t.Errorf("%d solves: %v", solves, lines)
	}
}

func TestBuildThatCouldNotBeginIsNoTimeout(t *testing.T) {
	h := newEnv(t)
	solves := 0
	b := h.builder(func(ctx context.Context, _ builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
		solves++
		progress(builder.Event{Line: "BuildKit is not responding", Waits: "BuildKit did not respond"})
		<-ctx.Done()
		return builder.SolveResult{}, ctx.Err()
	}, func(c *builder.Config) { c.Timeout = 20 * time.Millisecond })
	h.run(b)
	id := h.submit(b, h.newBuild(h.image("alice", "app"), "v1", commitA))[0].ID
	build, lines := h.follow(b, id)
	if build.Outcome != catalog.OutcomeInfrastructure || solves != 1 {
		t.Errorf("%d solves, ended %+v", solves, build)
	}
	wantLog(t, lines, "BuildKit is not responding", "not built (infrastructure): the build could not start for 0.0s: BuildKit did not respond")
}

// slowStore lets the end of builds wait.
type slowStore struct {
	builder.Store
	ending  chan int64
	release chan struct{}
}

func (s *slowStore) FinishBuild(ctx context.Context, id int64, workerID string, r catalog.BuildResult) error {
	s.ending <- id
	<-s.release
	return s.Store.FinishBuild(ctx, id, workerID, r)
}

func TestPushDoesNotWaitForTheEndOfAnotherBuild(t *testing.T) {
	h := newEnv(t)
	store := &slowStore{Store: h.store, ending: make(chan int64, 2), release: make(chan struct{})}
	b := h.builder(built, func(c *builder.Config) { c.Store = store })
	h.run(b)
	image := h.image("alice", "app")
	first := h.submit(b, h.newBuild(image, "v1", commitA))[0].ID
	receive(t, store.ending)
	submitted := make(chan int64, 1)
	go func() {
		queued, err := b.Submit(t.Context(), []catalog.NewBuild{h.newBuild(image, "v2", commitA)})
		if err != nil {
			t.Error(err)
			return
		}
		submitted <- queued[0].ID
	}()
	second := receive(t, submitted)
	close(store.release)
	for _, id := range []int64{first, second} {
		if build, _ := h.follow(b, id); build.State != catalog.Built {
			t.Errorf("ended %+v", build)
		}
	}
}
