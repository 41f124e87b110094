package builder_test

import (
	"context"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// verifier knows of one tag who signed it.
type verifier struct{ signature catalog.TagSignature }

func (v verifier) VerifyTag(_ context.Context, namespace, tag string, object []byte) (catalog.TagSignature, error) {
	if namespace != "alice" || tag != "v1" || string(object) != tagID {
		return catalog.TagSignature{Reason: "unexpected"}, nil
	}
	return v.signature, nil
}

const tagID = "dddddddddddddddddddddddddddddddddddddddd"

// A tag's signature is found out where it is not known, told in the log, and kept by a rebuild with the tag itself.
func TestTagSignature(t *testing.T) {
	h := newEnv(t)
	image := h.image("alice", "app")
	signature := catalog.TagSignature{Kind: catalog.SignatureSSH, Key: "SHA256:x", Signer: "alice", Verified: true}
	b := h.builder(func(ctx context.Context, r builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
		if r.Build.Number == 1 {
			return builder.SolveResult{}, &builder.SolveError{Outcome: catalog.OutcomeUserError, Message: "no"}
		}
		return built(ctx, r, progress)
	}, func(c *builder.Config) { c.Tags = verifier{signature} })
	h.run(b)
	n := h.newBuild(image, "v1", commitA)
	n.TagObject = tagID
	first := h.submit(b, n)[0]
	failed, lines := h.follow(b, first.ID)
	wantLog(t, lines, "Tag v1 signed by alice (SHA256:x)")
	if failed.Signature != signature || !h.sources.kept[tagID] {
		t.Errorf("%+v; kept %v", failed, h.sources.kept)
	}
	again, err := b.Rebuild(t.Context(), image.ID, "v1", image.OwnerID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if build, _ := h.follow(b, again.ID); build.TagObject != tagID || build.Signature != signature {
		t.Errorf("rebuilt %+v", build)
	}
	if got := h.sources.tags[image.Ref.Repository()+":v1"]; got != tagID {
		t.Errorf("the tag is %q", got)
	}
}

// A build that waits when its image begins to require signatures does not begin.
func TestSignedTagsRequiredMeanwhile(t *testing.T) {
	h := newEnv(t)
	image := h.image("alice", "app")
	b := h.builder(built)
	waiting := h.submit(b, h.newBuild(image, "v1", commitA))[0]
	on := true
	if _, err := h.store.UpdateImage(t.Context(), image.ID, catalog.ImageUpdate{SignedTags: &on}); err != nil {
		t.Fatal(err)
	}
	h.run(b)
	build, _ := h.follow(b, waiting.ID)
	if build.State != catalog.BuildFailed || !strings.Contains(build.Message, "takes only tags that a member has signed: v1 is not annotated") {
		t.Errorf("ended as %s: %s", build.State, build.Message)
	}
	if _, err := b.Rebuild(t.Context(), image.ID, "v1", image.OwnerID, nil); catalog.CodeOf(err) != catalog.Forbidden {
		t.Errorf("rebuild: %v", err)
	}
}
