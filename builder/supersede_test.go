package builder_test

import (
	"context"
	"testing"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// heldBuilder runs one build at a time, tells of each that began, and ends none before hold is closed.
func (e *env) heldBuilder() (b *builder.Builder, began, hold chan struct{}) {
	began, hold = make(chan struct{}, 2), make(chan struct{})
	b = e.builder(func(ctx context.Context, r builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
		began <- struct{}{}
		<-hold
		return built(ctx, r, progress)
	}, func(c *builder.Config) { c.Parallel = 1 })
	e.run(b)
	return b, began, hold
}

func TestCancelWaiting(t *testing.T) {
	h := newEnv(t)
	b, began, hold := h.heldBuilder()
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

// What a disabled user asked for and what waits is not built; what runs is.
func TestBuildsOfTheDisabled(t *testing.T) {
	h := newEnv(t)
	b, began, hold := h.heldBuilder()
	image := h.image("alice", "app")
	newBuild := func(version, commit string) catalog.NewBuild {
		n := h.newBuild(image, version, commit)
		n.UserID = image.OwnerID
		return n
	}
	running := h.submit(b, newBuild("v1", commitA))[0].ID
	<-began
	waiting := h.submit(b, newBuild("v2", commitB))[0].ID
	yes := true
	if _, err := h.store.UpdateUser(t.Context(), image.OwnerID, catalog.UserUpdate{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	close(hold)
	if build, _ := h.follow(b, running); build.State != catalog.Built {
		t.Errorf("the running one ended %+v", build)
	}
	build, lines := h.follow(b, waiting)
	if build.Outcome != catalog.OutcomeCancelled || h.sources.hasTag(image.Ref, "v2") {
		t.Errorf("the waiting one ended %+v", build)
	}
	wantLog(t, lines, "not built (cancelled)")
}
