package storetest

import (
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

func kindOf(e catalog.Event) string { return string(e.Kind) + " " + e.Version + " " + string(e.State) }

func testEvents(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	image, other := newImage(t, s, "ann", "App"), newImage(t, s, "bob", "app")
	first := build(t, s, image, "v1", catalog.OutcomeBuilt)
	queue(t, s, other, "v9")
	q := queue(t, s, image, "v2")
	must(s.CancelBuild(ctx, q.ID, base))(t)
	noError(t, s.DeleteVersion(ctx, first.VersionID))
	noError(t, s.DeleteImage(ctx, image.ID))

	events := must(s.EventsAfter(ctx, "ann", 0, 0))(t)
	wantEqual(t, "events", names(events, kindOf), "[version.created v1 PENDING build.queued v1 PENDING build.started v1 BUILDING build.finished v1 BUILT "+
		"version.created v2 PENDING build.queued v2 PENDING build.finished v2 FAILED version.deleted v1 BUILT image.deleted  ]")
	finished := events[3]
	wantRecent(t, "event", finished.At)
	wantEqual(t, "image", finished.Image, image.Ref)
	wantEqual(t, "image ID", finished.ImageID, image.ID)
	wantEqual(t, "digest", finished.Digest, "sha256:d1")
	wantEqual(t, "commit", finished.Commit, commitA)
	wantEqual(t, "build", finished.BuildID, first.ID)
	wantEqual(t, "number", finished.Number, 1)
	wantEqual(t, "trigger", finished.Trigger, catalog.TriggerPush)
	wantEqual(t, "outcome", finished.Outcome, catalog.OutcomeBuilt)
	wantEqual(t, "message", events[6].Message, "cancelled before it began")

	all := must(s.EventsAfter(ctx, "", 0, 0))(t)
	wantEqual(t, "all events", len(all), len(events)+2)
	wantEqual(t, "last event", must(s.LastEvent(ctx))(t), all[len(all)-1].ID)
	wantEqual(t, "a page", names(must(s.EventsAfter(ctx, "", all[0].ID, 2))(t), kindOf), "[build.queued v1 PENDING build.started v1 BUILDING]")
}

func testNoEventWithoutChange(t *testing.T, s catalog.Store) {
	image := newImage(t, s, "ann", "app")
	built := build(t, s, image, "v1", catalog.OutcomeBuilt)
	last := must(s.LastEvent(t.Context()))(t)
	news := s.NewEvents()
	_, err := s.QueueBuilds(t.Context(), []catalog.NewBuild{asked(image, "v2", commitA), asked(image, "v1", commitB)})
	wantCode(t, err, catalog.Conflict)
	wantCode(t, s.FinishBuild(t.Context(), built.ID, worker, resultOf(catalog.OutcomeBuilt)), catalog.Conflict)
	wantEqual(t, "last event", must(s.LastEvent(t.Context()))(t), last)
	select {
	case <-news:
		t.Error("told of an event that was rolled back")
	default:
	}
	queue(t, s, image, "v3")
	select {
	case <-news:
	default:
		t.Error("not told of an event")
	}
}

func testPruneEvents(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	queue(t, s, newImage(t, s, "ann", "app"), "v1")
	last := must(s.LastEvent(ctx))(t)
	noError(t, s.PruneEvents(ctx, time.Now().Add(-time.Hour)))
	wantEqual(t, "events kept", len(must(s.EventsAfter(ctx, "", 0, 0))(t)), 2)
	noError(t, s.PruneEvents(ctx, time.Now().Add(time.Hour)))
	wantEqual(t, "events left", len(must(s.EventsAfter(ctx, "", 0, 0))(t)), 0)
	queue(t, s, newImage(t, s, "bob", "app"), "v1")
	if e := must(s.EventsAfter(ctx, "", last, 0))(t); len(e) != 2 {
		t.Errorf("IDs of forgotten events were used again: %v", e)
	}
}

func testCursor(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	wantEqual(t, "new cursor", must(s.Cursor(ctx, "c"))(t), 0)
	noError(t, s.SetCursor(ctx, "c", 7))
	noError(t, s.SetCursor(ctx, "c", 9))
	noError(t, s.SetCursor(ctx, "d", 3))
	wantEqual(t, "cursor", must(s.Cursor(ctx, "c"))(t), 9)
}
