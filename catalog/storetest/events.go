package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

func kindOf(e catalog.Event) string {
	return strings.TrimRight(string(e.Kind)+" "+e.Version+" "+string(e.State), " ")
}

func testEvents(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	image, other := newImage(t, s, "ann", "App"), newImage(t, s, "bob", "app")
	first := build(t, s, image, "v1", catalog.OutcomeBuilt)
	queue(t, s, other, "v9")
	q := queue(t, s, image, "v2")
	must(s.CancelBuild(ctx, q.ID, base))(t)
	noError(t, s.DeleteVersion(ctx, first.VersionID, ""))
	noError(t, s.DeleteImage(ctx, image.ID))

	events := must(s.EventsAfter(ctx, "ann", 0, 0))(t)
	wantEqual(t, "events", names(events, kindOf), "[member.changed image.created version.created v1 PENDING build.queued v1 PENDING build.started v1 BUILDING build.finished v1 BUILT "+
		"version.created v2 PENDING build.queued v2 PENDING build.finished v2 FAILED version.deleted v1 BUILT image.deleted]")
	finished := events[5]
	wantRecent(t, "event", finished.At)
	wantEqual(t, "image", finished.Image, image.Ref)
	wantEqual(t, "image ID", finished.ImageID, image.ID)
	wantEqual(t, "digest", finished.Digest, "sha256:d1")
	wantEqual(t, "commit", finished.Commit, commitA)
	wantEqual(t, "build", finished.BuildID, first.ID)
	wantEqual(t, "number", finished.Number, 1)
	wantEqual(t, "trigger", finished.Trigger, catalog.TriggerPush)
	wantEqual(t, "outcome", finished.Outcome, catalog.OutcomeBuilt)
	wantEqual(t, "message", events[8].Message, "cancelled before it started")

	all := must(s.EventsAfter(ctx, "", 0, 0))(t)
	wantEqual(t, "all events", len(all), len(events)+4)
	wantEqual(t, "last event", must(s.LastEvent(ctx))(t), all[len(all)-1].ID)
	wantEqual(t, "a page", names(must(s.EventsAfter(ctx, "", all[0].ID, 2))(t), kindOf), "[image.created member.changed]")
}

func testEventsForMember(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	ann, bob := newUser(t, s, "ann"), newUser(t, s, "bob")
	must(s.CreateNamespace(ctx, "team", ann.ID))(t)
	shared := must(s.CreateImage(ctx, catalog.NewImage{Ref: catalog.ImageRef{Namespace: "team", Name: "app"}, OwnerID: ann.ID}))(t)
	newImage(t, s, "ann", "secret")
	queue(t, s, newImage(t, s, "bob", "own"), "v1")
	queue(t, s, shared, "v2")
	where := func(e catalog.Event) string { return e.Image.Namespace + "/" + e.Image.Name + ":" + string(e.Kind) }
	const before, between, after = "bob/:member.changed", "bob/own:image.created bob/own:version.created bob/own:build.queued",
		"team/app:version.created team/app:build.queued"
	wantEqual(t, "a stranger's", names(must(s.EventsForMember(ctx, bob.ID, 0, 0))(t), where), "["+before+" "+between+"]")
	wantEqual(t, "of no user", len(must(s.EventsForMember(ctx, 999, 0, 0))(t)), 0)
	wantEqual(t, "a stranger's latest", names(must(s.LatestEventsForMember(ctx, bob.ID, 2))(t), where), "[bob/own:build.queued bob/own:version.created]")
	wantEqual(t, "the latest of both of ann's", names(must(s.LatestEventsForMember(ctx, ann.ID, 3))(t), where),
		"[team/app:build.queued team/app:version.created ann/secret:image.created]")

	noError(t, s.SetMember(ctx, "team", bob.ID, catalog.RoleRead))
	all := must(s.EventsForMember(ctx, bob.ID, 0, 0))(t)
	wantEqual(t, "a member's", names(all, where), "["+before+" team/:member.changed team/app:image.created "+between+" "+after+" team/:member.changed]")
	for limit := 1; limit <= 3; limit++ {
		var paged []catalog.Event
		for at := int64(0); ; at = paged[len(paged)-1].ID {
			page := must(s.EventsForMember(ctx, bob.ID, at, limit))(t)
			if len(page) == 0 {
				break
			}
			paged = append(paged, page...)
		}
		wantEqual(t, "in pages", fmt.Sprint(paged), fmt.Sprint(all))
	}

	noError(t, s.SetMember(ctx, "team", bob.ID, catalog.RoleNone))
	wantEqual(t, "one's who was removed", names(must(s.EventsForMember(ctx, bob.ID, 0, 0))(t), where), "["+before+" "+between+"]")
}

func testMemberEvents(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	ann, bob := newUser(t, s, "ann"), newUser(t, s, "bob")
	for _, role := range []catalog.Role{catalog.RoleNone, catalog.RoleRead, catalog.RoleRead, catalog.RoleAdmin, catalog.RoleNone, catalog.RoleNone} {
		noError(t, s.SetMember(ctx, "ann", bob.ID, role))
	}
	wantCode(t, s.SetMember(ctx, "ann", ann.ID, catalog.RoleRead), catalog.Conflict)
	changes := names(must(s.EventsAfter(ctx, "ann", 0, 0))(t), func(e catalog.Event) string { return fmt.Sprint(e.Kind, " ", e.Member, " ", e.Role) })
	wantEqual(t, "events", changes, fmt.Sprintf("[member.changed ann %d member.changed bob %d member.changed bob %d member.changed bob %d]",
		catalog.RoleAdmin, catalog.RoleRead, catalog.RoleAdmin, catalog.RoleNone))
}

func testNoEventWithoutChange(t *testing.T, s catalog.Store) {
	image := newImage(t, s, "ann", "app")
	built := build(t, s, image, "v1", catalog.OutcomeBuilt)
	last := must(s.LastEvent(t.Context()))(t)
	notified := s.NewEvents()
	_, err := s.QueueBuilds(t.Context(), []catalog.NewBuild{asked(image, "v2", commitA), asked(image, "v1", commitB)})
	wantCode(t, err, catalog.Conflict)
	wantCode(t, s.FinishBuild(t.Context(), built.ID, worker, resultOf(catalog.OutcomeBuilt)), catalog.Conflict)
	wantEqual(t, "last event", must(s.LastEvent(t.Context()))(t), last)
	select {
	case <-notified:
		t.Error("told of an event that was rolled back")
	default:
	}
	queue(t, s, image, "v3")
	select {
	case <-notified:
	default:
		t.Error("not told of an event")
	}
}

func testPruneEvents(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	queue(t, s, newImage(t, s, "ann", "app"), "v1")
	last := must(s.LastEvent(ctx))(t)
	noError(t, s.PruneEvents(ctx, time.Now().Add(-time.Hour)))
	wantEqual(t, "events kept", len(must(s.EventsAfter(ctx, "", 0, 0))(t)), 4)
	noError(t, s.PruneEvents(ctx, time.Now().Add(time.Hour)))
	wantEqual(t, "events left", len(must(s.EventsAfter(ctx, "", 0, 0))(t)), 0)
	queue(t, s, newImage(t, s, "bob", "app"), "v1")
	if e := must(s.EventsAfter(ctx, "", last, 0))(t); len(e) != 4 {
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
