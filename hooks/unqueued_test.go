package hooks_test

import (
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// On a full disk neither can a build be queued nor its tag be taken back.
func TestTagThatCouldNotBeQueued(t *testing.T) {
	repository := catalog.ImageRef{Namespace: "alice", Name: "app"}
	full := func([]catalog.NewBuild) error { return catalog.Errorf(catalog.Unavailable, "the disk is full") }
	refused := func(h *env) {
		h.before = full
		push, _ := h.push("v1=" + commitA)
		h.hooks.PreReceive(t.Context(), push)
		h.sources.tags[repository]["v1"] = commitA
		if result := h.hooks.PostReceive(t.Context(), push); len(result.Failed) != 1 || len(result.Undo) != 1 {
			t.Fatalf("result %+v", result)
		}
		h.before = nil
	}
	withdraw := func(h *env, before time.Time, left bool) {
		t.Helper()
		if err := h.hooks.WithdrawUnqueued(t.Context(), before); err != nil {
			t.Fatal(err)
		}
		if _, there := h.sources.tags[repository]["v1"]; there != left {
			t.Errorf("the tag is there: %v", there)
		}
	}
	t.Run("withdrawn", func(t *testing.T) {
		h := newEnv(t)
		refused(h)
		if unbuilt, err := h.hooks.UnbuiltTags(t.Context(), h.image); err != nil || unbuilt["v1"] != commitA {
			t.Errorf("the tag would be shown to pushers: %v, %v", unbuilt, err)
		}
		withdraw(h, time.Now().Add(-time.Minute), true) // it might be coming again
		withdraw(h, time.Now(), false)
		if unbuilt, err := h.hooks.UnbuiltTags(t.Context(), h.image); err != nil || len(unbuilt) != 0 {
			t.Errorf("unbuilt: %v, %v", unbuilt, err)
		}
	})
	t.Run("pushed again", func(t *testing.T) {
		h := newEnv(t)
		refused(h)
		push, _ := h.push("v1=" + commitA)
		h.logs["v1"] = scriptedLog{result: endedWell}
		if refused := h.hooks.PreReceive(t.Context(), push); len(refused) != 0 {
			t.Fatal(refused)
		}
		if result := h.hooks.PostReceive(t.Context(), push); len(result.Failed) != 0 {
			t.Fatalf("result %+v", result)
		}
		withdraw(h, time.Now(), true)
	})
	t.Run("built otherwise", func(t *testing.T) {
		h := newEnv(t)
		refused(h)
		h.version("v1", commitA, catalog.Building)
		withdraw(h, time.Now(), true)
	})
}
