package builder_test

import (
	"context"
	"testing"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

func TestCancelWaiting(t *testing.T) {
	h := newHouse(t)
	began, hold := make(chan struct{}, 2), make(chan struct{})
	b := h.builder(func(ctx context.Context, r builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
		began <- struct{}{}
		<-hold
		return built(ctx, r, progress)
	}, func(c *builder.Config) { c.Parallel = 1 })
	h.run(b)
	image := h.image("alice", "app")
	running := h.submit(b, h.newBuild(image, "v1", commitA))[0].ID
	<-began
	waiting := h.submit(b, h.newBuild(image, "v2", commitB))[0].ID
	for id, want := range map[int64]bool{running: false, waiting: true} {
		if got, err := b.CancelWaiting(t.Context(), id); err != nil || got != want {
			t.Errorf("build %d: got %v, %v", id, got, err)
		}
	}
	close(hold)
	if build, _ := h.follow(b, running); build.State != catalog.Built || build.Cancelled {
		t.Errorf("the running one ended %+v", build)
	}
	if build, _ := h.follow(b, waiting); build.Outcome != catalog.OutcomeCancelled || h.sources.hasTag(image.Ref, "v2") {
		t.Errorf("the waiting one ended %+v", build)
	}
	if got, err := b.CancelWaiting(t.Context(), running); err != nil || got {
		t.Errorf("an ended build: %v, %v", got, err)
	}
	if _, err := b.CancelWaiting(t.Context(), 999); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("no build: %v", err)
	}
}
