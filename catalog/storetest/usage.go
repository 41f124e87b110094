package storetest

import (
	"math"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// testUsage keeps what versions need until they go, or until something else is said of them.
func testUsage(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	app, other, bobs := newImage(t, s, "ann", "app"), newImage(t, s, "ann", "other"), newImage(t, s, "bob", "app")
	ns := must(s.Namespace(ctx, "ann"))(t).ID
	for _, image := range []catalog.Image{app, other, bobs} {
		queue(t, s, image, "v1")
		b := must(s.ClaimBuild(ctx, worker, math.MaxInt, base, base.Add(time.Minute)))(t)
		finish(t, s, b.ID, catalog.OutcomeBuilt)
	}
	waits := queue(t, s, app, "v2")
	unmeasured := must(s.ListUnmeasured(ctx, ns, 10))(t)
	wantEqual(t, "unmeasured", len(unmeasured), 2)
	first, second := unmeasured[0], unmeasured[1]
	noError(t, s.SetContents(ctx, map[int64]map[string]int64{first.ID: {"a": 1, "b": 2}, second.ID: {"b": 2, "c": 4}, 12345: {"d": 8}}))
	wantEqual(t, "unmeasured then", len(must(s.ListUnmeasured(ctx, ns, 10))(t)), 0)
	noError(t, s.AddLFSObject(ctx, app.ID, catalog.LFSObject{OID: "e", Size: 5000}))
	got := map[catalog.Content]bool{}
	for _, c := range must(s.ListContents(ctx, ns))(t) {
		got[c] = true
	}
	wantEqual(t, "contents", got, map[catalog.Content]bool{
		{ImageID: first.ImageID, Digest: "a", Bytes: 1}: true, {ImageID: first.ImageID, Digest: "b", Bytes: 2}: true,
		{ImageID: second.ImageID, Digest: "b", Bytes: 2}: true, {ImageID: second.ImageID, Digest: "c", Bytes: 4}: true,
		{ImageID: app.ID, Digest: "sha256:e", Bytes: 8192}: true,
	})
	noError(t, s.ForgetContents(ctx, first.ImageID, "a"))
	noError(t, s.ForgetContents(ctx, first.ImageID, "c")) // another image's
	wantEqual(t, "to be measured again", must(s.ListUnmeasured(ctx, ns, 10))(t), []catalog.Version{first})

	wantEqual(t, "versions", must(s.CountVersions(ctx, ns))(t), map[int64]int{app.ID: 2, other.ID: 1})
	wantEqual(t, "logs", len(must(s.ListLogs(ctx, ns))(t)), 3)
	wantEqual(t, "amounts", must(s.NamespaceAmounts(ctx, ns))(t), catalog.Amounts{Images: 2, Versions: 3, Builds: 3})
	_ = must(s.CancelBuild(ctx, waits.ID, base))(t)
	noError(t, s.DeleteVersion(ctx, waits.VersionID, ""))
	noError(t, s.DeleteVersion(ctx, second.ID, ""))
	wantEqual(t, "builds of deleted versions count", must(s.NamespaceAmounts(ctx, ns))(t), catalog.Amounts{Images: 2, Versions: 1, Builds: 3})
	for _, c := range must(s.ListContents(ctx, ns))(t) {
		if c.Digest == "c" {
			t.Error("what a deleted version needed is still there")
		}
	}
}

// testQuotas counts in the transaction that would make one more, and all of it or nothing is made.
func testQuotas(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	app := newImage(t, s, "ann", "app")
	set := func(q catalog.Quota) { noError(t, s.SetNamespaceLimits(ctx, "ann", catalog.NamespaceLimits{Quota: q})) }
	ask := func(versions ...string) error {
		var builds []catalog.NewBuild
		for _, v := range versions {
			builds = append(builds, catalog.NewBuild{ImageID: app.ID, Version: v, Trigger: catalog.TriggerPush, Commit: commitA})
		}
		_, err := s.QueueBuilds(ctx, builds)
		return err
	}
	push := func(version string) error {
		_, err := s.RecordVersion(ctx, catalog.ReadyVersion{ImageID: app.ID, Version: version, Trigger: catalog.TriggerRegistry, Digest: "sha256:" + version, At: base})
		return err
	}
	set(catalog.Quota{Images: 1, Versions: 2, Builds: 2})
	_, err := s.CreateImage(ctx, catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: "other"}})
	wantCode(t, err, catalog.Forbidden)
	noError(t, ask("v1"))
	wantCode(t, ask("v2", "v3"), catalog.Forbidden)
	wantEqual(t, "nothing of it", must(s.NamespaceAmounts(ctx, must(s.Namespace(ctx, "ann"))(t).ID))(t), catalog.Amounts{Images: 1, Versions: 1, Builds: 1})
	noError(t, push("v2"))
	wantCode(t, push("v3"), catalog.Forbidden)
	set(catalog.Quota{Versions: catalog.NoQuota, Builds: 2})
	noError(t, push("v3")) // which is no build
	noError(t, ask("v4"))
	wantCode(t, ask("v5"), catalog.Forbidden)
	noError(t, ask("v4")) // it is being built
}
