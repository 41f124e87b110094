package storetest

import (
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

func testTombstones(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	app := newImage(t, s, "ann", "app")
	b := build(t, s, app, "v1", catalog.OutcomeBuilt)
	failed := build(t, s, app, "v2", catalog.OutcomeUserError)
	digest := must(s.Version(ctx, app.ID, "v1"))(t).Digest
	last := must(s.LastEvent(ctx))(t)
	noError(t, s.DeleteVersion(ctx, b.VersionID, "it was old"))
	noError(t, s.DeleteVersion(ctx, failed.VersionID, ""))
	endRemovals(t, s)
	events := must(s.EventsAfter(ctx, "ann", last, 0))(t)
	if len(events) != 2 || events[0].Kind != catalog.EventVersionDeleted || events[0].Message != "it was old" || events[1].Message != "" {
		t.Errorf("events: %+v", events)
	}

	// What was never built takes no name.
	stones := must(s.ListTombstones(ctx, app.ID))(t)
	if len(stones) != 1 {
		t.Fatalf("tombstones: %+v", stones)
	}
	wantRecent(t, "tombstone", stones[0].At)
	wantEqual(t, "tombstone", stones[0], catalog.Tombstone{ImageID: app.ID, Version: "v1", Commit: commitA, Digest: digest, Reason: "it was old", At: stones[0].At})
	wantEqual(t, "the same by name", must(s.Tombstone(ctx, app.ID, "v1"))(t), stones[0])
	_, err := s.Tombstone(ctx, app.ID, "v2")
	wantCode(t, err, catalog.NotFound)
	queue(t, s, app, "v2")
	finish(t, s, claim(t, s).ID, catalog.OutcomeUserError)

	// Another commit, and another image, are refused; the same is a version again.
	_, err = s.QueueBuilds(ctx, []catalog.NewBuild{asked(app, "v1", commitB)})
	wantCode(t, err, catalog.Conflict)
	record := func(digest string) error {
		_, err := s.RecordVersion(ctx, catalog.ReadyVersion{ImageID: app.ID, Version: "v1", Trigger: catalog.TriggerRegistry, Digest: digest, At: base})
		return err
	}
	wantCode(t, record("sha256:other"), catalog.Conflict)
	queue(t, s, app, "v1")
	again := claim(t, s)
	wantCode(t, s.FinishBuild(ctx, again.ID, worker, catalog.BuildResult{Outcome: catalog.OutcomeBuilt, Digest: "sha256:other", EndedAt: base}), catalog.Conflict)
	finish(t, s, again.ID, catalog.OutcomeUserError)
	_, err = s.QueueBuilds(ctx, []catalog.NewBuild{asked(app, "v1", commitB)})
	wantCode(t, err, catalog.Conflict) // though there is a version, which failed
	noError(t, record(digest))
	if stones := must(s.ListTombstones(ctx, app.ID))(t); len(stones) != 0 {
		t.Errorf("of a version that is there: %+v", stones)
	}

	// One that is lifted, and an image that is gone, leave the name to anything.
	noError(t, s.DeleteVersion(ctx, must(s.Version(ctx, app.ID, "v1"))(t).ID, ""))
	endRemovals(t, s)
	_, err = s.QueueBuilds(ctx, []catalog.NewBuild{asked(app, "v1", commitA)})
	wantCode(t, err, catalog.Conflict) // it came as an image
	noError(t, s.LiftTombstone(ctx, app.ID, "v1"))
	wantCode(t, s.LiftTombstone(ctx, app.ID, "v1"), catalog.NotFound)
	noError(t, record("sha256:other"))
}

func testRetentionRules(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	app, other := newImage(t, s, "ann", "app"), newImage(t, s, "bob", "app")
	own, whole := catalog.RetentionScope{Namespace: "ann", ImageID: app.ID}, catalog.RetentionScope{Namespace: "ann"}
	rule := func(scope catalog.RetentionScope, kind catalog.RetentionKind, last int) catalog.ScopedRule {
		return catalog.ScopedRule{RetentionScope: scope, Kind: kind, Rule: catalog.RetentionRule{KeepLast: last, Keep: "v* w"}}
	}
	for _, bad := range []struct {
		rule catalog.ScopedRule
		code catalog.Code
	}{
		{rule(own, "tags", 1), catalog.Invalid},
		{catalog.ScopedRule{RetentionScope: own, Kind: catalog.RetainVersions}, catalog.Invalid},
		{rule(own, catalog.RetainVersions, -1), catalog.Invalid},
		{rule(catalog.RetentionScope{Namespace: "ann", ImageID: other.ID}, catalog.RetainVersions, 1), catalog.NotFound},
		{rule(catalog.RetentionScope{Namespace: "nobody"}, catalog.RetainVersions, 1), catalog.NotFound},
	} {
		wantCode(t, s.SetRetentionRule(ctx, bad.rule), bad.code)
	}
	noError(t, s.SetRetentionRule(ctx, rule(whole, catalog.RetainVersions, 1)))
	noError(t, s.SetRetentionRule(ctx, rule(whole, catalog.RetainVersions, 2)))
	noError(t, s.SetRetentionRule(ctx, rule(own, catalog.RetainVersions, 3)))
	noError(t, s.SetRetentionRule(ctx, rule(catalog.RetentionScope{Namespace: "bob"}, catalog.RetainVersions, 9)))
	list := func(scope catalog.RetentionScope) string {
		return names(must(s.ListRetentionRules(ctx, scope))(t), func(r catalog.ScopedRule) string { return r.Namespace + ": " + r.Rule.String() })
	}
	wantEqual(t, "of the namespace", list(whole), "[ann: the last 2, those that match v* w]")
	if got := must(s.ListRetentionRules(ctx, own))(t); len(got) != 2 {
		t.Errorf("of the image: %+v", got)
	}
	noError(t, s.DeleteRetentionRule(ctx, own, catalog.RetainVersions))
	wantCode(t, s.DeleteRetentionRule(ctx, own, catalog.RetainVersions), catalog.NotFound)
	wantCode(t, s.DeleteRetentionRule(ctx, own, "tags"), catalog.Invalid)
	wantEqual(t, "without its own", list(own), list(whole))
	_, err := s.ListRetentionRules(ctx, catalog.RetentionScope{Namespace: "nobody"})
	wantCode(t, err, catalog.NotFound)
}

func testListRetained(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	app, derived := newImage(t, s, "ann", "app"), newImage(t, s, "ann", "derived")
	build(t, s, app, "v1", catalog.OutcomeUserError)
	branch := asked(app, "main-000000a", commitA)
	branch.Options.Branch = "main"
	must(s.QueueBuilds(ctx, []catalog.NewBuild{branch}))(t)
	r := resultOf(catalog.OutcomeBuilt)
	r.Facts = &catalog.BuildFacts{Bases: []catalog.BaseImage{{Ref: "docker.io/library/alpine:3", Digest: "sha256:alpine"}, {Digest: "sha256:alpine"}}}
	b := claim(t, s)
	noError(t, s.FinishBuild(ctx, b.ID, worker, r))
	queue(t, s, app, "v2")
	queue(t, s, derived, "v1")
	show := func(v catalog.RetainedVersion) string {
		text := v.Name + " " + string(v.State) + " " + v.Branch
		if v.Unattested {
			text += " unattested"
		}
		if v.State.Ended() != v.EndedAt.Equal(base.Add(time.Second)) {
			text += " at " + v.EndedAt.String()
		}
		return text
	}
	wantEqual(t, "versions", names(must(s.ListRetained(ctx, app.ID))(t), show), "[v2 PENDING  main-000000a BUILT main unattested v1 BUILD_FAILED ]")
	noError(t, s.EndAttestation(ctx, b.ID))
	wantEqual(t, "attested", must(s.ListRetained(ctx, app.ID))(t)[1].Unattested, false)

	// Its own bases hold a version as little as those of versions that are gone.
	for _, c := range []struct {
		digest    string
		otherThan int64
		want      bool
	}{{"sha256:alpine", 0, true}, {"sha256:alpine", b.VersionID, false}, {"sha256:d1", 0, false}} {
		wantEqual(t, "base "+c.digest, must(s.IsBase(ctx, []string{"sha256:x", c.digest}, c.otherThan))(t), c.want)
	}
	noError(t, s.DeleteVersion(ctx, b.VersionID, ""))
	wantEqual(t, "base of what is gone", must(s.IsBase(ctx, []string{"sha256:alpine"}, 0))(t), false)
}

func testBuildLogs(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	app := newImage(t, s, "ann", "app")
	first, second := build(t, s, app, "v1", catalog.OutcomeUserError), build(t, s, app, "v2", catalog.OutcomeBuilt)
	_, err := s.RecordVersion(ctx, catalog.ReadyVersion{ImageID: app.ID, Version: "pushed", Trigger: catalog.TriggerRegistry, Digest: "sha256:1", At: base})
	noError(t, err)
	queue(t, s, app, "v3")
	claim(t, s)
	if early := must(s.ListBuildLogs(ctx, base, 10))(t); len(early) != 0 {
		t.Errorf("before any ended: %v", early)
	}
	wantEqual(t, "one of them", must(s.ListBuildLogs(ctx, base.Add(time.Minute), 1))(t), []int64{first.ID})
	wantEqual(t, "all", must(s.ListBuildLogs(ctx, base.Add(time.Minute), 10))(t), []int64{first.ID, second.ID})
	noError(t, s.NoteLogsRemoved(ctx, []int64{first.ID, 999}, base.Add(time.Hour)))
	wantEqual(t, "those left", must(s.ListBuildLogs(ctx, base.Add(time.Minute), 10))(t), []int64{second.ID})
	gone := must(s.Build(ctx, first.ID))(t)
	wantEqual(t, "when", gone.LogRemovedAt, base.Add(time.Hour))
	wantCode(t, gone.CheckLog(), catalog.NotFound)
	noError(t, must(s.Build(ctx, second.ID))(t).CheckLog())
}

// Hidden refs go with the last version that was not built from what they keep.
func testKeptObjectsThatGo(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	app := newImage(t, s, "ann", "app")
	first, second := build(t, s, app, "v1", catalog.OutcomeUserError), build(t, s, app, "v2", catalog.OutcomeUserError)
	noError(t, s.DeleteVersion(ctx, first.VersionID, ""))
	noError(t, s.DeleteVersion(ctx, second.VersionID, ""))
	removals := must(s.Removals(ctx))(t)
	if len(removals) != 2 || len(removals[0].Kept) != 0 || len(removals[1].Kept) != 1 || removals[1].Kept[0] != commitA || removals[1].Source != app.Ref {
		t.Errorf("removals: %+v", removals)
	}
}
