package builder_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
)

var errDisk = errors.New("disk I/O error")

// shakyStore fails the first calls of each write that decides about a build.
type shakyStore struct {
	*sqlite.Store
	mu    sync.Mutex
	fails map[string]int
}

func (s *shakyStore) fail(call string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails[call] > 0 {
		s.fails[call]--
		return errDisk
	}
	return nil
}

func (s *shakyStore) ClaimBuild(ctx context.Context, workerID string, busiest int, now, until time.Time) (catalog.Build, error) {
	if err := s.fail("claim"); err != nil {
		return catalog.Build{}, err
	}
	return s.Store.ClaimBuild(ctx, workerID, busiest, now, until)
}

func (s *shakyStore) ExtendLease(ctx context.Context, id int64, workerID string, until time.Time) error {
	if err := s.fail("extend"); err != nil {
		return err
	}
	return s.Store.ExtendLease(ctx, id, workerID, until)
}

func (s *shakyStore) FinishBuild(ctx context.Context, id int64, workerID string, r catalog.BuildResult) error {
	if err := s.fail("finish"); err != nil {
		return err
	}
	return s.Store.FinishBuild(ctx, id, workerID, r)
}

func (s *shakyStore) NextWake(ctx context.Context) (time.Time, bool, error) {
	if err := s.fail("wake"); err != nil {
		return time.Time{}, false, err
	}
	return s.Store.NextWake(ctx)
}

func TestStoreTroubleIsOutlived(t *testing.T) {
	h := newEnv(t)
	store := &shakyStore{Store: h.store, fails: map[string]int{"claim": 2, "extend": 1, "finish": 2, "wake": 1}}
	b := h.builder(built, func(c *builder.Config) { c.Store = store })
	h.run(b)
	id := h.submit(b, h.newBuild(h.image("alice", "app"), "v1", commitA))[0].ID
	if build, _ := h.follow(b, id); build.State != catalog.Built || build.Attempts != 1 {
		t.Errorf("ended %+v", build)
	}
	for call, left := range store.fails {
		if left > 0 {
			t.Errorf("%s was not reached after its failures", call)
		}
	}
}

// A cancel that a crash or shutdown overtook still counts after the restart.
func TestCancelSurvivesARestart(t *testing.T) {
	h := newEnv(t)
	image := h.image("alice", "app")
	queued, err := h.store.QueueBuilds(t.Context(), []catalog.NewBuild{h.newBuild(image, "v1", commitA)})
	if err != nil {
		t.Fatal(err)
	}
	id := queued[0].ID
	if _, err := h.store.ClaimBuild(t.Context(), "dead", math.MaxInt, time.Now(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.store.CancelBuild(t.Context(), id, time.Now()); err != nil {
		t.Fatal(err)
	}
	b := h.builder(func(context.Context, builder.SolveRequest, func(builder.Event)) (builder.SolveResult, error) {
		t.Error("a cancelled build was built")
		return builder.SolveResult{}, errDisk
	})
	h.run(b)
	if build, _ := h.follow(b, id); build.Outcome != catalog.OutcomeCancelled || h.sources.hasTag(image.Ref, "v1") {
		t.Errorf("ended %+v", build)
	}
}

func TestManyFinishedLogsStayReadable(t *testing.T) {
	h := newEnv(t)
	image := h.image("alice", "app")
	b := h.builder(built)
	h.run(b)
	var builds []catalog.NewBuild
	for i := range 100 { // more than stay open
		builds = append(builds, h.newBuild(image, "v"+string(rune('a'+i%26))+string(rune('a'+i/26)), commitA))
	}
	queued := h.submit(b, builds...)
	for range 2 {
		for _, q := range queued {
			build, lines := h.follow(b, q.ID)
			if build.State != catalog.Built {
				t.Fatalf("%+v", build)
			}
			wantLog(t, lines, "Building alice/app:"+q.Version, "Built alice/app:"+q.Version)
		}
	}
}

func TestConfigNamesWhatIsMissing(t *testing.T) {
	if _, err := builder.New(builder.Config{}); err == nil {
		t.Error("an empty Config was taken")
	}
}
