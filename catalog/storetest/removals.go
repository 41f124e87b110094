package storetest

import (
	"slices"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// endRemovals does what a daemon does after its files are gone.
func endRemovals(t *testing.T, s catalog.Store) {
	t.Helper()
	for _, r := range must(s.Removals(t.Context()))(t) {
		noError(t, s.EndRemoval(t.Context(), r.ID))
	}
}

func testRemovals(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	app, other := newImage(t, s, "ann", "app"), newImage(t, s, "ann", "other")
	v1, v2 := build(t, s, app, "v1", catalog.OutcomeBuilt), build(t, s, app, "v2", catalog.OutcomeUserError)
	again := queue(t, s, app, "v2")
	claim(t, s)
	finish(t, s, again.ID, catalog.OutcomeBuilt)
	build(t, s, other, "v2", catalog.OutcomeBuilt)
	v3 := build(t, s, app, "v3", catalog.OutcomeBuilt)

	noError(t, s.DeleteVersion(ctx, v2.VersionID, ""))
	removals := must(s.Removals(ctx))(t)
	want := catalog.Removal{ImageID: app.ID, Image: app.Ref, Version: "v2", Source: app.Ref, Tags: []catalog.RemovedTag{{Name: "v2", Commit: again.Commit}}, Kept: []string{again.Commit}, Digest: must(s.Version(ctx, app.ID, "v1"))(t).Digest, Builds: []int64{v2.ID, again.ID}}
	wantRemovals(t, removals, want)
	_, err := s.QueueBuilds(ctx, []catalog.NewBuild{{ImageID: app.ID, Version: "v2", Trigger: catalog.TriggerPush, Commit: commitA}})
	wantCode(t, err, catalog.Unavailable)
	queue(t, s, app, "V2") // another name
	finish(t, s, claim(t, s).ID, catalog.OutcomeUserError)
	_, err = s.RecordVersion(ctx, catalog.ReadyVersion{ImageID: app.ID, Version: "v2", Trigger: catalog.TriggerRegistry, Digest: removals[0].Digest, At: base})
	wantCode(t, err, catalog.Unavailable)
	noError(t, s.EndRemoval(ctx, removals[0].ID))
	wantCode(t, s.EndRemoval(ctx, removals[0].ID), catalog.NotFound)
	wantRemovals(t, must(s.Removals(ctx))(t))
	_, err = s.RecordVersion(ctx, catalog.ReadyVersion{ImageID: app.ID, Version: "v2", Trigger: catalog.TriggerRegistry, Digest: removals[0].Digest, At: base})
	noError(t, err)

	// What versions left to do goes with their image, and its name is free when all is done.
	noError(t, s.DeleteVersion(ctx, v3.VersionID, ""))
	noError(t, s.DeleteImage(ctx, app.ID))
	removals = must(s.Removals(ctx))(t)
	if len(removals) != 1 || removals[0].Version != "" || removals[0].Image != app.Ref || len(removals[0].Builds) != 4 ||
		!slices.Contains(removals[0].Builds, v1.ID) || !slices.Contains(removals[0].Builds, v3.ID) {
		t.Errorf("removals of an image: %+v", removals)
	}
	for _, name := range []string{"app", "APP"} {
		_, err = s.CreateImage(ctx, catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: name}, OwnerID: app.OwnerID})
		wantCode(t, err, catalog.Unavailable)
	}
	newImage(t, s, "ann", "third")
	noError(t, s.EndRemoval(ctx, removals[0].ID))
	if made := newImage(t, s, "ann", "app"); made.ID == app.ID {
		t.Error("an ID was used again")
	}
}

func wantRemovals(t *testing.T, got []catalog.Removal, want ...catalog.Removal) {
	t.Helper()
	got = slices.Clone(got)
	for i := range got {
		got[i].ID = 0
	}
	if len(got)+len(want) > 0 {
		wantEqual(t, "removals", got, want)
	}
}
