package builder_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// What a namespace may use stands in place of what all may, within the ceiling; a repository takes less of it.
func TestWhatABuildMayUse(t *testing.T) {
	h := newEnv(t)
	h.sources.trees[commitA][".fandogh/config.yml"] = &fstest.MapFile{Data: []byte("build:\n  limits: {memory: 8GiB, pids: 50, timeout: 30m}\n")}
	var got catalog.BuildLimits
	b := h.builder(func(ctx context.Context, r builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
		got = r.Limits
		return built(ctx, r, progress)
	}, func(c *builder.Config) {
		c.Timeout = 2 * time.Hour
		c.Ceiling = catalog.BuildLimits{Memory: 4 << 30, PIDs: 1000, CPUs: 4, Log: 10 << 20}
		c.Limits = catalog.BuildLimits{Memory: 1 << 30, PIDs: 100, Disk: 20 << 30, Timeout: time.Hour}
	})
	h.run(b)
	image := h.image("alice", "app")
	id := h.submit(b, h.newBuild(image, "v1", commitA))[0].ID
	h.follow(b, id)
	if want := (catalog.BuildLimits{Memory: 1 << 30, PIDs: 50, CPUs: 4, Disk: 20 << 30, Log: 10 << 20, Timeout: 30 * time.Minute}); got != want {
		t.Errorf("as all: %+v, want %+v", got, want)
	}
	if err := h.store.SetNamespaceLimits(t.Context(), "alice", catalog.NamespaceLimits{Build: catalog.BuildLimits{Memory: 9 << 30, CPUs: 1, Timeout: 3 * time.Hour}}); err != nil {
		t.Fatal(err)
	}
	id = h.submit(b, h.newBuild(image, "v2", commitA))[0].ID
	h.follow(b, id)
	if want := (catalog.BuildLimits{Memory: 4 << 30, PIDs: 50, CPUs: 1, Disk: 20 << 30, Log: 10 << 20, Timeout: 30 * time.Minute}); got != want {
		t.Errorf("as the namespace: %+v, want %+v", got, want)
	}
}

// A repository may have its builds stopped earlier.
func TestTimeoutOfARepository(t *testing.T) {
	h := newEnv(t)
	h.sources.trees[commitA][".fandogh/config.yml"] = &fstest.MapFile{Data: []byte("build:\n  limits: {timeout: 20ms}\n")}
	b := h.builder(blocking(make(chan int64, 1)))
	h.run(b)
	build, lines := h.follow(b, h.submit(b, h.newBuild(h.image("alice", "app"), "v1", commitA))[0].ID)
	if build.Outcome != catalog.OutcomeTimeout {
		t.Errorf("ended %+v", build)
	}
	wantLog(t, lines, "not built (timeout): the build took longer than 0.0s and was stopped")
	wantLog(t, lines, "set a longer build.limits.timeout in .fandogh/config.yml")
}

// Where a namespace runs as many builds as it may, the next says so and waits, though there is a slot.
func TestNamespaceRunsAsManyAsItMay(t *testing.T) {
	h := newEnv(t)
	image := h.image("alice", "app")
	if err := h.store.SetNamespaceLimits(t.Context(), "alice", catalog.NamespaceLimits{Running: 1, Waiting: 1}); err != nil {
		t.Fatal(err)
	}
	started := make(chan int64, 2)
	b := h.builder(blocking(started), func(c *builder.Config) { c.Parallel = 4 })
	h.run(b)
	h.submit(b, h.newBuild(image, "v1", commitA))
	running := receive(t, started)
	waiting := h.submit(b, h.newBuild(image, "v2", commitA))[0].ID
	const why = "its namespace runs 1 build, as many as it may at once"
	place, err := b.Queued(t.Context(), waiting)
	if err != nil || place.Place != 1 || place.Why != why {
		t.Errorf("%+v, %v", place, err)
	}
	if _, err := b.Submit(t.Context(), []catalog.NewBuild{h.newBuild(image, "v3", commitA)}); catalog.CodeOf(err) != catalog.Forbidden {
		t.Errorf("one more was queued: %v", err)
	}
	if err := b.Cancel(t.Context(), running); err != nil {
		t.Fatal(err)
	}
	if next := receive(t, started); next != waiting {
		t.Errorf("build %d runs, want %d", next, waiting)
	}
	if err := b.Cancel(t.Context(), waiting); err != nil {
		t.Fatal(err)
	}
	_, lines := h.follow(b, waiting)
	wantLog(t, lines, "Queued alice/app:v2: place 1 of 1 in the queue; "+why)
}

// While the queue is paused, a build waits and says why, though every slot is free.
func TestPausedQueue(t *testing.T) {
	h := newEnv(t)
	image := h.image("alice", "app")
	pause, err := h.store.PauseQueue(t.Context(), "boss", "new disk")
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan int64, 1)
	b := h.builder(blocking(started))
	h.run(b)
	waiting := h.submit(b, h.newBuild(image, "v1", commitA))[0].ID
	if place, err := b.Queued(t.Context(), waiting); err != nil || place.Why != pause.String() {
		t.Errorf("%+v, %v", place, err)
	}
	if _, err := h.store.ResumeQueue(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Wake()
	if id := receive(t, started); id != waiting {
		t.Errorf("build %d runs, want %d", id, waiting)
	}
	if err := b.Cancel(t.Context(), waiting); err != nil {
		t.Fatal(err)
	}
	_, lines := h.follow(b, waiting)
	wantLog(t, lines, "Queued alice/app:v1: place 1 of 1 in the queue; the queue is paused by boss since ", ": new disk; this one starts")
}

// While there is no room no build begins, and those that wait say why; when there is, they go on. What runs may end.
func TestBuildsWaitForRoom(t *testing.T) {
	h := newEnv(t)
	var full atomic.Bool
	began, end := make(chan struct{}), make(chan struct{})
	b := h.builder(func(ctx context.Context, r builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
		if r.Build.Version == "v1" {
			close(began)
			<-end
		}
		return built(ctx, r, progress)
	}, func(c *builder.Config) {
		c.Parallel = 1
		c.Room = func() error {
			if full.Load() {
				return catalog.Wrap(catalog.Unavailable, catalog.ErrNearlyFull, "the disk is nearly full")
			}
			return nil
		}
	})
	h.run(b)
	image := h.image("alice", "app")
	first := h.submit(b, h.newBuild(image, "v1", commitA))[0].ID
	<-began
	before := h.submit(b, h.newBuild(image, "v2", commitA))[0].ID
	full.Store(true)
	b.Wake()
	meanwhile := h.submit(b, h.newBuild(image, "v3", commitA))[0].ID
	close(end)
	if build, _ := h.follow(b, first); build.Outcome != catalog.OutcomeBuilt {
		t.Errorf("what ran ended %+v", build)
	}
	testkit.Eventually(t, "the waiting build says why", func() bool {
		lines, err := b.ReadLog(t.Context(), before, 0, 0)
		return err == nil && strings.Contains(fmt.Sprint(lines), "Queued alice/app:v2: the disk is nearly full")
	})
	if place, err := b.Queued(t.Context(), before); err != nil || place.Why != "the disk is nearly full" || place.Running != 0 {
		t.Errorf("waits %+v, %v", place, err)
	}
	_, version := h.recorded(first)
	if _, err := b.BuildAgain(t.Context(), image, version, catalog.BuildFacts{}, func(string) {}); !errors.Is(err, catalog.ErrNearlyFull) {
		t.Errorf("a version is built again: %v", err)
	}
	_, err := b.Rebuild(t.Context(), image.ID, "v1", 0, nil)
	if catalog.CodeOf(err) != catalog.Conflict {
		t.Errorf("a rebuild of what is built: %v", err)
	}
	full.Store(false)
	b.Wake()
	for _, id := range []int64{before, meanwhile} {
		build, lines := h.follow(b, id)
		if build.Outcome != catalog.OutcomeBuilt {
			t.Errorf("with room again: %+v", build)
		}
		wantLog(t, lines, "the disk is nearly full; this one starts when its turn comes")
	}
}
