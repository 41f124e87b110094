package hooks_test

import (
	"slices"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

func TestReconcileHealsWhatACrashLeft(t *testing.T) {
	repository := catalog.ImageRef{Namespace: "alice", Name: "app"}
	for _, c := range []struct {
		name    string
		version catalog.State // of "v1" from commitA; empty: none
		commit  string        // the tag's
		state   catalog.State // afterwards
		from    string        // commit afterwards
		tagged  bool          // afterwards
	}{
		{"tag never queued", "", commitA, catalog.Pending, commitA, true},
		{"waiting", catalog.Pending, commitA, catalog.Pending, commitA, true},
		{"building", catalog.Building, commitA, catalog.Building, commitA, true},
		{"built", catalog.Built, commitA, catalog.Built, commitA, true},
		{"failed, tag not withdrawn", catalog.Failed, commitA, catalog.Failed, commitA, false},
		{"user's failure, tag not withdrawn", catalog.BuildFailed, commitA, catalog.BuildFailed, commitA, false},
		{"failed, moved tag never queued", catalog.Failed, commitB, catalog.Pending, commitB, true},
		{"built, lost race not undone", catalog.Built, commitB, catalog.Built, commitA, false},
		{"building, lost race not undone", catalog.Building, commitB, catalog.Building, commitA, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newEnv(t)
			if c.version != "" {
				h.version("v1", commitA, c.version)
			}
			h.sources.tags[repository]["v1"] = c.commit
			h.sources.tags[repository]["not/a/version"] = commitA
			orphan := catalog.ImageRef{Namespace: "alice", Name: "orphan"}
			h.sources.tags[orphan] = map[string]string{"v1": commitA}
			if err := h.hooks.Reconcile(t.Context()); err != nil {
				t.Fatal(err)
			}
			state, from := h.state("v1")
			if state != c.state || from != c.from {
				t.Errorf("version is %q from %q", state, from)
			}
			if _, tagged := h.sources.tags[repository]["v1"]; tagged != c.tagged {
				t.Errorf("tagged: %v", tagged)
			}
			if !c.tagged && c.commit == commitA && !slices.Contains(h.sources.kept, commitA) {
				t.Error("the commit of a failed version was not kept for a rebuild")
			}
			if len(h.sources.tags[repository]) < 1 {
				t.Errorf("what can't be a version was touched: %v", h.sources.tags)
			}
			if !slices.Equal(h.sources.aside, []catalog.ImageRef{orphan}) {
				t.Errorf("set aside: %v", h.sources.aside)
			}
		})
	}
}

func TestReconcileLeavesArrivingTags(t *testing.T) {
	h := newEnv(t)
	h.version("v1", commitA, catalog.Failed)
	repository := catalog.ImageRef{Namespace: "alice", Name: "app"}
	push, _ := h.push("v1=" + commitA)
	if refused := h.hooks.PreReceive(t.Context(), push); len(refused) != 0 {
		t.Fatal(refused)
	}
	h.sources.tags[repository]["v1"] = commitA // the ref moved, its build is not queued yet
	if err := h.hooks.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, tagged := h.sources.tags[repository]["v1"]; !tagged {
		t.Error("the tag of a live push was withdrawn")
	}
}

func TestReconcileGoesOnAfterAnError(t *testing.T) {
	h := newEnv(t)
	repository := catalog.ImageRef{Namespace: "alice", Name: "app"}
	h.sources.tags[repository] = map[string]string{"v1": commitA, "v2": commitA}
	h.before = func(builds []catalog.NewBuild) error {
		if builds[0].Version == "v1" {
			return catalog.Errorf(catalog.Unavailable, "busy")
		}
		return nil
	}
	if err := h.hooks.Reconcile(t.Context()); err == nil {
		t.Error("no error")
	}
	if state, _ := h.state("v2"); state != catalog.Pending {
		t.Errorf("v2 is %q", state)
	}
}
