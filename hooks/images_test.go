package hooks_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// listing has commitA list images.
func (e *env) listing(names ...string) *env {
	var entries []catalog.ImageEntry
	for _, name := range names {
		entries = append(entries, catalog.ImageEntry{Name: name})
	}
	return e.saying(prospects{commitA: {Branches: "main", Images: entries}, commitB: {}})
}

// endOf has the build of an image that is built from the repository end.
func (e *env) endOf(name, version string, outcome catalog.Outcome) {
	e.t.Helper()
	ctx := e.t.Context()
	image, err := e.store.CreateImage(ctx, catalog.NewImage{Ref: catalog.ImageRef{Namespace: "alice", Name: name}, SourceID: e.image.ID})
	if err != nil {
		e.t.Fatal(err)
	}
	if _, err := e.store.QueueBuilds(ctx, []catalog.NewBuild{{ImageID: image.ID, Version: version, Trigger: catalog.TriggerPush, Commit: commitA}}); err != nil {
		e.t.Fatal(err)
	}
	build, err := e.store.ClaimBuild(ctx, worker, math.MaxInt, time.Now(), time.Now().Add(time.Hour))
	if err == nil {
		err = e.store.FinishBuild(ctx, build.ID, worker, catalog.BuildResult{Outcome: outcome, Digest: "sha256:1", EndedAt: time.Now()})
	}
	if err != nil {
		e.t.Fatal(err)
	}
}

// ofTag tells which versions of a tag there are, as "api:v1".
func (e *env) ofTag(tag string) string {
	e.t.Helper()
	versions, err := e.store.TagVersions(e.t.Context(), e.image.ID, tag)
	if err != nil {
		e.t.Fatal(err)
	}
	var names []string
	for _, v := range versions {
		image, err := e.store.ImageByID(e.t.Context(), v.ImageID)
		if err != nil {
			e.t.Fatal(err)
		}
		names = append(names, image.Ref.Name+":"+v.Name)
	}
	return strings.Join(names, " ")
}

func TestTagIsBuiltAsEveryImage(t *testing.T) {
	h := newEnv(t).listing("api", "web", "App")
	broken := scriptedLog{result: catalog.BuildResult{Outcome: catalog.OutcomeUserError, Message: "it broke"}}
	h.logs["v1"] = broken
	push, seen := h.push("v1="+commitA, "api/v2+x="+commitA, "@acme/utils@1="+commitA, "old="+commitB)
	h.logs["v2_x"], h.logs["old"] = scriptedLog{result: endedWell}, scriptedLog{result: endedWell}
	result := h.hooks.PostReceive(t.Context(), push)
	for tag, want := range map[string]string{"v1": "App:v1 api:v1 web:v1", "api/v2+x": "api:v2_x", "@acme/utils@1": "", "old": "App:old"} {
		got := strings.Fields(h.ofTag(tag))
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%s is built as %s, want %s", tag, got, want)
		}
	}
	if h.submits != 1 || len(result.Undo) != 0 || !slices.Equal(sortedKeys(result.Failed), []string{"refs/tags/v1"}) {
		t.Errorf("%d submits, %+v", h.submits, result)
	}
	said := catalog.MessageOf(result.Failed["refs/tags/v1"])
	for _, name := range []string{"api", "web", "App"} {
		if !strings.Contains(said, name+":v1: not built, user error: it broke") {
			t.Errorf("the report says %q", said)
		}
	}
	if line := "[@acme/utils@1] @acme/utils@1 stored, not built: it names none of the images that its commit lists (api, web, App)\n"; !strings.Contains(seen.String(), line) {
		t.Errorf("said %q", seen)
	}
	if !h.sources.store["@acme/utils@1"] || h.sources.store["v1"] {
		t.Errorf("marks %v", h.sources.store)
	}
}

func TestImagesThatAreOthers(t *testing.T) {
	h := newEnv(t).listing("fresh", "api")
	ref := catalog.ImageRef{Namespace: "alice", Name: "api"}
	if _, err := h.store.CreateImage(t.Context(), catalog.NewImage{Ref: ref, OwnerID: h.image.OwnerID}); err != nil {
		t.Fatal(err)
	}
	push, _ := h.push("v1="+commitA, "old="+commitB)
	push.Options.Detach, push.Atomic = true, true
	push.Updates = append(push.Updates, branchUpdate("topic", "", commitB))
	result := h.hooks.PostReceive(t.Context(), push)
	err := result.Failed["refs/tags/v1"]
	if catalog.CodeOf(err) != catalog.Conflict || !strings.Contains(catalog.MessageOf(err), "alice/api has a repository of its own") {
		t.Errorf("report %v", err)
	}
	slices.Sort(result.Undo)
	if want := []string{"refs/heads/topic", "refs/tags/v1"}; !slices.Equal(result.Undo, want) {
		t.Errorf("undone %v, want %v", result.Undo, want)
	}
	if _, err := h.store.Image(t.Context(), catalog.ImageRef{Namespace: "alice", Name: "fresh"}); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("a push that is refused made an image: %v", err)
	}
	if got := h.ofTag("v1") + h.ofTag("old"); got != "App:old" {
		t.Errorf("built %s", got)
	}
}

// A version of the repository's own image, whose tags have a prefix, is none of the tag that other images have.
func TestVersionOfAnotherPrefix(t *testing.T) {
	h := newEnv(t).saying(prospects{commitA: {Images: []catalog.ImageEntry{{Name: "App", TagPrefix: "app-"}, {Name: "api"}}}})
	h.logs["v1"] = scriptedLog{result: endedWell}
	for _, tag := range []string{"app-v1", "v1"} {
		push, _ := h.push(tag + "=" + commitA)
		push.Options.Detach = true
		if refused := h.hooks.PreReceive(t.Context(), push); len(refused) > 0 {
			t.Errorf("%s is refused: %v", tag, refused)
		}
		if result := h.hooks.PostReceive(t.Context(), push); len(result.Failed) > 0 {
			t.Errorf("%s is not queued: %v", tag, result.Failed)
		}
	}
	if got := h.ofTag("app-v1") + " " + h.ofTag("v1"); got != "App:v1 api:v1" {
		t.Errorf("built %s", got)
	}
}

// Who may not create more images is told so, and nothing is built.
func TestTooManyImages(t *testing.T) {
	h := newEnv(t).listing("api", "web")
	h.store.SetLimits(catalog.Limits{Images: 2})
	push, _ := h.push("v1=" + commitA)
	result := h.hooks.PostReceive(t.Context(), push)
	if err := result.Failed["refs/tags/v1"]; catalog.CodeOf(err) != catalog.Forbidden || len(result.Undo) != 1 || h.ofTag("v1") != "" {
		t.Errorf("%+v, built %s", result, h.ofTag("v1"))
	}
}

func TestReconcileOfSeveralImages(t *testing.T) {
	repository := catalog.ImageRef{Namespace: "alice", Name: "app"}
	for _, c := range []struct {
		name     string
		api, web catalog.Outcome // of v1; empty: there are no versions
		tagged   bool            // afterwards
		built    string
	}{
		{"never queued", "", "", true, "api:v1 web:v1"},
		{"one failed", catalog.OutcomeBuilt, catalog.OutcomeUserError, true, "api:v1 web:v1"},
		{"all failed", catalog.OutcomeUserError, catalog.OutcomeTimeout, false, "api:v1 web:v1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newEnv(t).listing("api", "web")
			for name, outcome := range map[string]catalog.Outcome{"api": c.api, "web": c.web} {
				if outcome != "" {
					h.endOf(name, "v1", outcome)
				}
			}
			h.sources.tags[repository]["v1"] = commitA
			h.sources.tags[repository]["@acme/utils@1"] = commitA
			if err := h.hooks.Reconcile(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := strings.Fields(h.ofTag("v1"))
			slices.Sort(got)
			if strings.Join(got, " ") != c.built {
				t.Errorf("built %s", got)
			}
			if _, tagged := h.sources.tags[repository]["v1"]; tagged != c.tagged {
				t.Errorf("tagged: %v", tagged)
			}
			unbuilt, err := h.hooks.UnbuiltTags(t.Context(), h.image)
			if _, hidden := unbuilt["v1"]; err != nil || hidden != c.tagged {
				t.Errorf("unbuilt %v, %v", unbuilt, err)
			}
			if !h.sources.store["@acme/utils@1"] {
				t.Error("a tag of no image is not marked as stored")
			}
		})
	}
}

func TestBranchOfSeveralImages(t *testing.T) {
	h := newEnv(t).saying(prospects{commitA: {Branches: "main", Images: []catalog.ImageEntry{{Name: "api", TagPrefix: "main-"}, {Name: "web"}}}, commitB: {Branches: "main"}})
	push, seen := h.push()
	push.Options.Detach = true
	push.Updates = []catalog.RefUpdate{branchUpdate("main", "", commitA)}
	h.hooks.PostReceive(t.Context(), push)
	if line := "main stored; building api:main-aaaaaaa, web:main-aaaaaaa"; seen.lines()[0] != line {
		t.Errorf("said %q", seen.lines())
	}
	push.Updates = []catalog.RefUpdate{branchUpdate("main", commitA, commitB)}
	h.hooks.PostReceive(t.Context(), push)
	versions, err := h.store.TagVersions(t.Context(), h.image.ID, "main-aaaaaaa")
	if err != nil || len(versions) != 2 || versions[0].State != catalog.Failed || versions[1].State != catalog.Failed {
		t.Errorf("the older ones: %v, %v", versions, err)
	}
}
