package builder_test

import (
	"context"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// The name of a deleted version is the same image's again, and no other's.
func TestBuildOfADeletedVersion(t *testing.T) {
	h := newEnv(t)
	made := digest
	b := h.builder(func(context.Context, builder.SolveRequest, func(builder.Event)) (builder.SolveResult, error) {
		return builder.SolveResult{Digest: made}, nil
	})
	stop := h.run(b)
	defer stop()
	image := h.image("alice", "app")
	ended := func() catalog.Build {
		t.Helper()
		build, _ := h.follow(b, h.submit(b, h.newBuild(image, "v1", commitA))[0].ID)
		return build
	}
	first := ended()
	if err := h.store.DeleteVersion(t.Context(), first.VersionID, ""); err != nil {
		t.Fatal(err)
	}
	removals, err := h.store.Removals(t.Context())
	if err == nil {
		err = h.store.EndRemoval(t.Context(), removals[0].ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	made = strings.Replace(digest, "0", "1", 1)
	build := ended()
	if build.Outcome != catalog.OutcomeUserError || !strings.Contains(build.Message, "this build made "+made+", and version v1 was deleted on ") || !strings.Contains(build.Message, " as "+digest) {
		t.Errorf("another image ended as %s: %s", build.Outcome, build.Message)
	}
	if _, tagged := h.sources.tags["alice/app:v1"]; tagged {
		t.Error("its tag stands")
	}
	made = digest
	if again := ended(); again.Outcome != catalog.OutcomeBuilt {
		t.Errorf("the same image ended as %s: %s", again.Outcome, again.Message)
	}
}
