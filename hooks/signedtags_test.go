package hooks_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/hooks"
)

// aliceSigned is known of a tag that alice signed.
var aliceSigned = catalog.TagSignature{Kind: catalog.SignatureSSH, Key: "SHA256:alice", Signer: "alice", Verified: true}

// verifier takes every tag for signed by alice.
type verifier struct{}

func (verifier) VerifyTag(context.Context, string, string, []byte) (catalog.TagSignature, error) {
	return aliceSigned, nil
}

func (e *env) requireSigned() {
	e.t.Helper()
	if _, err := e.store.CreateKey(e.t.Context(), catalog.NewKey{UserID: e.image.OwnerID, Fingerprint: aliceSigned.Key}); err != nil {
		e.t.Fatal(err)
	}
	on := true
	var err error
	if e.image, err = e.store.UpdateImage(e.t.Context(), e.image.ID, catalog.ImageUpdate{SignedTags: &on}); err != nil {
		e.t.Fatal(err)
	}
	e.config.Tags = verifier{}
	e.hooks = hooks.New(e.config)
}

func TestPreReceiveOfSignedTags(t *testing.T) {
	h := newEnv(t)
	h.requireSigned()
	annotated := func(signature catalog.TagSignature) catalog.RefUpdate {
		return catalog.RefUpdate{Name: "refs/tags/v1", New: tagObj, Commit: commitA, Signature: signature}
	}
	for _, c := range []struct {
		name   string
		update catalog.RefUpdate
		says   string // empty: accepted
	}{
		{"signed", annotated(aliceSigned), ""},
		{"of a source, whose tags are in the repository", annotated(catalog.TagSignature{}), ""},
		{"lightweight", catalog.RefUpdate{Name: "refs/tags/v1", New: commitA, Commit: commitA}, "App takes only tags that a member has signed: v1 is not annotated"},
		{"not signed", annotated(catalog.TagSignature{Kind: catalog.SignatureNone}), "v1 is not signed; make it again with git tag -f -s v1"},
		{"not verified", annotated(catalog.TagSignature{Kind: catalog.SignatureSSH, Reason: "of an unknown key"}), "v1 is not verified: of an unknown key"},
		{"branch", catalog.RefUpdate{Name: "refs/heads/main", New: commitA, Commit: commitA}, ""},
		{"deletion", catalog.RefUpdate{Name: "refs/tags/v0", Old: commitA}, ""},
	} {
		push, _ := h.push()
		push.Updates = []catalog.RefUpdate{c.update}
		err := h.hooks.PreReceive(t.Context(), push)[c.update.Name]
		if (err == nil) != (c.says == "") || err != nil && (catalog.CodeOf(err) != catalog.Forbidden || !strings.Contains(catalog.MessageOf(err), c.says)) {
			t.Errorf("%s: refused with %v, want %q", c.name, err, c.says)
		}
	}
}

// Between the check and the build the signer may cease to be a member: then the ref is put back.
func TestSignerGoesMeanwhile(t *testing.T) {
	h := newEnv(t)
	h.requireSigned()
	push, _ := h.push()
	push.Options.Detach = true
	push.Updates = []catalog.RefUpdate{
		{Name: "refs/tags/v1", New: tagObj, Commit: commitA, Signature: aliceSigned},
		{Name: "refs/tags/v2", New: tagObj, Commit: commitA, Signature: aliceSigned},
	}
	push.Updates[1].Signature.Key = "SHA256:gone"
	if refused := h.hooks.PreReceive(t.Context(), push); len(refused) > 0 {
		t.Fatal(refused)
	}
	result := h.hooks.PostReceive(t.Context(), push)
	if !slices.Equal(result.Undo, []string{"refs/tags/v2"}) || catalog.CodeOf(result.Failed["refs/tags/v2"]) != catalog.Forbidden || result.Failed["refs/tags/v1"] != nil {
		t.Errorf("%+v", result)
	}
	if state, _ := h.state("v1"); state != catalog.Pending {
		t.Errorf("the other tag is %q", state)
	}
}

// A tag that a crash left without a version is judged as one that is pushed.
func TestReconcileOfUnsignedTags(t *testing.T) {
	h := newEnv(t)
	h.requireSigned()
	repository := catalog.ImageRef{Namespace: "alice", Name: "app"}
	h.sources.tags[repository]["light"] = commitA
	if err := h.hooks.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, there := h.sources.tags[repository]["light"]; there || !slices.Contains(h.sources.kept, commitA) {
		t.Errorf("tags %v, kept %v", h.sources.tags, h.sources.kept)
	}
	if state, _ := h.state("light"); state != "" {
		t.Errorf("it is %s", state)
	}
}

func TestUploadOfSignedTags(t *testing.T) {
	d := newUploadEnv(t)
	stale := d.image // as it was when the upload began
	d.requireSigned()
	if err := d.uploads.CheckVersion(t.Context(), d.image, "v1"); catalog.CodeOf(err) != catalog.Forbidden || !strings.Contains(err.Error(), "an upload has none") {
		t.Errorf("before: %v", err)
	}
	u, err := d.uploads.Receive(t.Context(), stale, bytes.NewReader(tarFiles(t, "Dockerfile", "FROM scratch")))
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close() //nolint:errcheck // nothing depends on it
	_, err = u.Submit(t.Context(), catalog.NewUpload{Version: "v1", Identity: catalog.Identity{User: catalog.User{ID: d.image.OwnerID, Name: "alice"}}})
	if catalog.CodeOf(err) != catalog.Forbidden {
		t.Errorf("meanwhile: %v", err)
	}
	if tags, err := d.repos.Tags(t.Context(), d.image.Ref); err != nil || len(tags) > 0 {
		t.Errorf("it left %v, %v", tags, err)
	}
}
