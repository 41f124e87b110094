package storetest

import (
	"math"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

func testRecordVersion(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	i := newImage(t, s, "ann", "app")
	ready := catalog.ReadyVersion{
		ImageID: i.ID, Version: "v1", Trigger: catalog.TriggerRegistry, UserID: i.OwnerID, Digest: "sha256:d1", Size: 7, At: base,
	}
	v := must(s.RecordVersion(ctx, ready))(t)
	wantEqual(t, "version", v, catalog.Version{
		ID: v.ID, ImageID: i.ID, Name: "v1", Tag: "v1", State: catalog.Built, Trigger: catalog.TriggerRegistry, Digest: ready.Digest, Size: 7, CreatedAt: v.CreatedAt,
	})
	wantEqual(t, "stored", must(s.Version(ctx, i.ID, "v1"))(t), v)
	builds := must(s.ListBuilds(ctx, v.ID, catalog.Page{}))(t)
	wantEqual(t, "its builds", builds, []catalog.Build{{
		ID: builds[0].ID, VersionID: v.ID, Number: 1, Image: i.Ref, ImageID: i.ID, Source: i.Ref, SourceID: i.ID, Version: "v1", Tag: "v1", Trigger: catalog.TriggerRegistry, UserID: i.OwnerID,
		State: catalog.Built, Outcome: catalog.OutcomeBuilt, Attempts: 1, QueuedAt: builds[0].QueuedAt, StartedAt: base, EndedAt: base,
	}})
	_, err := s.ClaimBuild(ctx, worker, math.MaxInt, base, base.Add(time.Minute))
	wantCode(t, err, catalog.NotFound)

	wantEqual(t, "the same again", must(s.RecordVersion(ctx, ready))(t), v)
	other := ready
	other.Digest = "sha256:d2"
	_, err = s.RecordVersion(ctx, other)
	wantCode(t, err, catalog.Conflict)

	running := queue(t, s, i, "v2")
	other.Version = "v2"
	_, err = s.RecordVersion(ctx, other)
	wantCode(t, err, catalog.Conflict)
	wantEqual(t, "the running build", claim(t, s).ID, running.ID)
	finish(t, s, running.ID, catalog.OutcomeUserError)
	failed := must(s.RecordVersion(ctx, other))(t)
	wantEqual(t, "after a failure", failed.State, catalog.Built)
	wantEqual(t, "its builds", len(must(s.ListBuilds(ctx, failed.ID, catalog.Page{}))(t)), 2)

	for _, bad := range []struct {
		change func(*catalog.ReadyVersion)
		code   catalog.Code
	}{
		{func(r *catalog.ReadyVersion) { r.Version = "a b" }, catalog.Invalid},
		{func(r *catalog.ReadyVersion) { r.Digest = "" }, catalog.Invalid},
		{func(r *catalog.ReadyVersion) { r.ImageID = 999 }, catalog.NotFound},
	} {
		r := catalog.ReadyVersion{ImageID: i.ID, Version: "v3", Trigger: catalog.TriggerRegistry, Digest: "sha256:d3", At: base}
		bad.change(&r)
		_, err := s.RecordVersion(ctx, r)
		wantCode(t, err, bad.code)
	}
}
