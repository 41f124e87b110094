package storetest

import (
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	annsKey = "SHA256:ann"
	pgpID   = "0123456789ABCDEF"
	pgpKey  = "0000000000000000000000000123456789ABCDEF"
)

// signed is a build of a tag that ann's key signed.
func signed(i catalog.Image, version string) catalog.NewBuild {
	n := asked(i, version, "c1")
	n.TagObject = "d1"
	n.Signature = catalog.TagSignature{Kind: catalog.SignatureSSH, Key: annsKey, Signer: "ann", Verified: true}
	return n
}

// requireSigned is an image that takes only signed tags, of a team that ann and bob write to. Ann has keys.
func requireSigned(t *testing.T, s catalog.Store) (ann catalog.User, i catalog.Image) {
	ctx := t.Context()
	ann, bob := newUser(t, s, "ann"), newUser(t, s, "bob")
	must(s.CreateNamespace(ctx, "team", bob.ID))(t)
	noError(t, s.SetMember(ctx, "team", ann.ID, catalog.RoleWrite))
	must(s.CreateKey(ctx, catalog.NewKey{UserID: ann.ID, Fingerprint: annsKey}))(t)
	must(s.CreateKey(ctx, catalog.NewKey{UserID: ann.ID, Kind: catalog.KeyOpenPGP, Fingerprint: pgpKey, KeyIDs: []string{"FEDCBA9876543210", pgpID}}))(t)
	i = must(s.CreateImage(ctx, catalog.NewImage{Ref: catalog.ImageRef{Namespace: "team", Name: "app"}, OwnerID: bob.ID}))(t)
	wantEqual(t, "at first", i.SignedTags, false)
	on := true
	i = must(s.UpdateImage(ctx, i.ID, catalog.ImageUpdate{SignedTags: &on}))(t)
	wantEqual(t, "then", must(s.Image(ctx, i.Ref))(t), i)
	wantEqual(t, "by its ID", must(s.ImageByID(ctx, i.ID))(t), i)
	wantEqual(t, "required", i.SignedTags, true)
	return ann, i
}

// Whatever asks for a version, it is refused without a signature.
func testSignedTags(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	_, i := requireSigned(t, s)
	unsigned := signed(i, "v1")
	unsigned.Signature = catalog.TagSignature{Kind: catalog.SignatureNone}
	unverified := signed(i, "v1")
	unverified.Signature.Verified, unverified.Signature.Reason = false, "no such key"
	byBob := signed(i, "v1")
	byBob.Signature.Signer = "bob"
	otherKey := signed(i, "v1")
	otherKey.Signature.Key = "SHA256:other"
	for what, n := range map[string]catalog.NewBuild{
		"no tag": asked(i, "v1", "c1"), "not signed": unsigned, "not verified": unverified, "another's key": byBob, "unknown key": otherKey,
	} {
		_, err := s.QueueBuilds(ctx, []catalog.NewBuild{signed(i, "v2"), n})
		if catalog.CodeOf(err) != catalog.Forbidden {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := s.RecordVersion(ctx, catalog.ReadyVersion{ImageID: i.ID, Version: "v1", Trigger: catalog.TriggerRegistry, Digest: "sha256:d", At: base})
	wantCode(t, err, catalog.Forbidden)
	wantEqual(t, "versions", len(must(s.ListVersions(ctx, i.ID, catalog.VersionFilter{}))(t)), 0)

	n := signed(i, "v1")
	b := must(s.QueueBuilds(ctx, []catalog.NewBuild{n}))(t)[0].Build
	wantEqual(t, "tag object", b.TagObject, n.TagObject)
	wantEqual(t, "signature", b.Signature, n.Signature)
	wantEqual(t, "stored", must(s.Build(ctx, b.ID))(t), b)
	_, err = s.UpdateImage(ctx, 999, catalog.ImageUpdate{})
	wantCode(t, err, catalog.NotFound)
}

// Of an image that is built from another's repository, its own setting binds, and so does that one's.
func testSignedTagsOfASource(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	_, i := requireSigned(t, s)
	api := imageOf(t, s, i, "api")
	wantEqual(t, "as it is set", api.SignedTags, false)
	wantEqual(t, "as its source is", api.NeedsSignedTags(), true)
	_, err := s.QueueBuilds(ctx, []catalog.NewBuild{asked(api, "v1", "c1")})
	wantCode(t, err, catalog.Forbidden)
	_, err = s.RecordVersion(ctx, catalog.ReadyVersion{ImageID: api.ID, Version: "v1", Trigger: catalog.TriggerRegistry, Digest: "sha256:d", At: base})
	wantCode(t, err, catalog.Forbidden)
	waiting := must(s.QueueBuilds(ctx, []catalog.NewBuild{signed(api, "v1")}))(t)[0]

	on, off := true, false
	must(s.UpdateImage(ctx, i.ID, catalog.ImageUpdate{SignedTags: &off}))(t)
	wantEqual(t, "then", must(s.Image(ctx, api.Ref))(t).NeedsSignedTags(), false)
	queue(t, s, api, "v2")
	must(s.UpdateImage(ctx, api.ID, catalog.ImageUpdate{SignedTags: &on}))(t)
	_, err = s.QueueBuilds(ctx, []catalog.NewBuild{asked(i, "v3", "c1"), asked(api, "v3", "c1")})
	wantCode(t, err, catalog.Forbidden)
	queue(t, s, i, "v3")
	noError(t, s.CheckSigned(ctx, waiting.ID))
}

// What changes while a build waits counts as well.
func testSignersChange(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	ann, i := requireSigned(t, s)
	off := false
	must(s.UpdateImage(ctx, i.ID, catalog.ImageUpdate{SignedTags: &off}))(t)
	plain := queue(t, s, i, "plain")
	noError(t, s.CheckSigned(ctx, plain.ID))
	on := true
	must(s.UpdateImage(ctx, i.ID, catalog.ImageUpdate{SignedTags: &on}))(t)
	wantCode(t, s.CheckSigned(ctx, plain.ID), catalog.Forbidden)
	wantCode(t, s.CheckSigned(ctx, 999), catalog.NotFound)

	n := signed(i, "v1")
	b := must(s.QueueBuilds(ctx, []catalog.NewBuild{n}))(t)[0]
	noError(t, s.CheckSigned(ctx, b.ID))
	refused := func(what string) {
		t.Helper()
		wantCode(t, s.CheckSigned(ctx, b.ID), catalog.Forbidden)
		if _, err := s.QueueBuilds(ctx, []catalog.NewBuild{n}); catalog.CodeOf(err) != catalog.Forbidden {
			t.Errorf("%s: %v", what, err)
		}
		for kind, id := range map[catalog.KeyKind]string{catalog.KeySSH: annsKey, catalog.KeyOpenPGP: pgpID} {
			wantEqual(t, what+": "+string(kind), len(must(s.SigningKeys(ctx, "team", kind, id))(t)), 0)
		}
	}
	for kind, id := range map[catalog.KeyKind]string{catalog.KeySSH: annsKey, catalog.KeyOpenPGP: pgpID} {
		found := must(s.SigningKeys(ctx, "Team", kind, id))(t)
		if len(found) != 1 || found[0].User != "ann" || found[0].Kind != kind || found[0].UserID != ann.ID {
			t.Errorf("%s: %+v", kind, found)
		}
	}
	wantEqual(t, "by the wrong kind", len(must(s.SigningKeys(ctx, "team", catalog.KeyOpenPGP, annsKey))(t)), 0)
	_, err := s.UserByKey(ctx, pgpKey) // nobody logs in by it
	wantCode(t, err, catalog.NotFound)
	noError(t, s.SetMember(ctx, "team", ann.ID, catalog.RoleRead))
	refused("a reader")
	noError(t, s.SetMember(ctx, "team", ann.ID, catalog.RoleNone))
	refused("no member")
	noError(t, s.SetMember(ctx, "team", ann.ID, catalog.RoleWrite))
	noError(t, s.CheckSigned(ctx, b.ID))
	disable(t, s, ann)
	refused("disabled")
	in := false
	must(s.UpdateUser(ctx, ann.ID, catalog.UserUpdate{Disabled: &in}))(t)
	for _, key := range must(s.ListKeys(ctx, ann.ID))(t) {
		noError(t, s.DeleteKey(ctx, ann.ID, key.ID))
	}
	refused("without keys")
}
