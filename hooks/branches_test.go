package hooks_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/hooks"
)

// prospects are what commits say, by commit.
type prospects map[string]catalog.Prospect

func (p prospects) Prospect(_ context.Context, _ catalog.ImageRef, commit string, _ catalog.BuildOptions) (catalog.Prospect, error) {
	prospect, ok := p[commit]
	if !ok {
		return prospect, catalog.Errorf(catalog.Invalid, ".fandogh/config.yml is not valid YAML")
	}
	return prospect, nil
}

// saying has the hooks ask these commits.
func (e *env) saying(p prospects) *env {
	e.config.Prospects = p
	e.hooks = hooks.New(e.config)
	return e
}

func branchUpdate(name, old, commit string) catalog.RefUpdate {
	return catalog.RefUpdate{Name: "refs/heads/" + name, Old: old, New: commit, Commit: commit}
}

func TestBranchesAreBuiltWhereAskedFor(t *testing.T) {
	asks := catalog.Prospect{Branches: "main,release/*"}
	skips := catalog.Prospect{Branches: "main", Skips: true}
	for _, c := range []struct {
		name, branch string
		prospect     *catalog.Prospect
		options      catalog.PushOptions
		version      string
		line         string
	}{
		{"by the repository", "main", &asks, catalog.PushOptions{}, "main-aaaaaaa", "main stored; building main-aaaaaaa"},
		{"by a pattern", "release/1", &asks, catalog.PushOptions{}, "release-1-aaaaaaa", "release/1 stored; building release-1-aaaaaaa"},
		{"another branch", "topic", &asks, catalog.PushOptions{}, "", "topic stored; push a tag to build a version"},
		{"by no one of them", "main", &catalog.Prospect{}, catalog.PushOptions{}, "", "main stored; push a tag to build a version"},
		{"by the push", "topic", &catalog.Prospect{}, catalog.PushOptions{BuildBranches: true}, "topic-aaaaaaa", "topic stored; building topic-aaaaaaa"},
		{"not by its message", "main", &skips, catalog.PushOptions{}, "", "main stored, not built: its commit's message asks to skip it"},
		{"by the push, whatever its message", "main", &skips, catalog.PushOptions{BuildBranches: true}, "main-aaaaaaa", "main stored; building main-aaaaaaa"},
		{"not by the push", "main", &asks, catalog.PushOptions{NoBuild: true}, "", "main stored; nothing is built, as asked"},
		{"what can't be read", "main", nil, catalog.PushOptions{}, "", "main stored, not built: .fandogh/config.yml is not valid YAML"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newEnv(t)
			if h.saying(prospects{}); c.prospect != nil {
				h.saying(prospects{commitA: *c.prospect})
			}
			push, seen := h.push()
			push.Options = c.options
			push.Options.Detach = true
			push.Updates = []catalog.RefUpdate{branchUpdate(c.branch, "", commitA)}
			result := h.hooks.PostReceive(t.Context(), push)
			if len(result.Failed)+len(result.Undo) > 0 {
				t.Errorf("result %+v", result)
			}
			if lines := seen.lines(); lines[0] != c.line {
				t.Errorf("said %q, want %q", lines, c.line)
			}
			tags := h.sources.tags[lower(h.image.Ref)]
			if c.version == "" {
				if len(tags) > 0 {
					t.Errorf("tags %v", tags)
				}
				return
			}
			if state, commit := h.state(c.version); state != catalog.Pending || commit != commitA || tags[c.version] != commitA {
				t.Errorf("version %s is %s of %s, tags %v", c.version, state, commit, tags)
			}
			queued, err := h.store.ClaimBuild(t.Context(), worker, 9, time.Now(), time.Now().Add(time.Minute))
			if err != nil || queued.Options.Branch != c.branch || queued.Trigger != catalog.TriggerPush {
				t.Errorf("queued %+v, %v", queued, err)
			}
		})
	}
}

func TestNewerCommitOfABranchSupersedes(t *testing.T) {
	h := newEnv(t).saying(prospects{commitA: {Branches: "main"}, commitB: {Branches: "main"}})
	push, _ := h.push()
	push.Options.Detach = true
	push.Updates = []catalog.RefUpdate{branchUpdate("main", "", commitA)}
	h.hooks.PostReceive(t.Context(), push)
	push.Updates = []catalog.RefUpdate{branchUpdate("main", commitA, commitB)}
	h.hooks.PostReceive(t.Context(), push)
	if state, _ := h.state("main-aaaaaaa"); state != catalog.Failed {
		t.Errorf("the older one is %s", state)
	}
	if state, _ := h.state("main-bbbbbbb"); state != catalog.Pending {
		t.Errorf("the newer one is %s", state)
	}
}

func TestFailedBranchStaysStored(t *testing.T) {
	for _, atomic := range []bool{false, true} {
		h := newEnv(t).saying(prospects{commitA: {Branches: "main"}})
		h.logs["main-aaaaaaa"] = scriptedLog{result: catalog.BuildResult{Outcome: catalog.OutcomeUserError, Message: "it broke"}}
		push, seen := h.push()
		push.Atomic = atomic
		push.Updates = []catalog.RefUpdate{branchUpdate("main", "", commitA)}
		result := h.hooks.PostReceive(t.Context(), push)
		if !strings.Contains(seen.String(), "main is stored, but main-aaaaaaa: not built, user error: it broke\n") {
			t.Errorf("said %q", seen.String())
		}
		if put := len(result.Undo) == 1 && result.Failed["refs/heads/main"] != nil; put != atomic {
			t.Errorf("atomic %v: result %+v", atomic, result)
		}
	}
}

func TestTagsAsHistory(t *testing.T) {
	const none = "this commit contains no file Dockerfile"
	h := newEnv(t).saying(prospects{commitA: {Missing: none}, commitB: {}})
	push, seen := h.push("old="+commitA, "older="+commitA, "new="+commitB)
	push.Options.Detach = true
	if refused := h.hooks.PreReceive(t.Context(), push); len(refused) > 0 {
		t.Fatal(refused)
	}
	if result := h.hooks.PostReceive(t.Context(), push); len(result.Failed)+len(result.Undo) > 0 {
		t.Errorf("result %+v", result)
	}
	for _, line := range []string{"[old] old stored, not built: " + none, "[older] older stored, not built: " + none} {
		if !strings.Contains(seen.String(), line+"\n") {
			t.Errorf("said %q, want %q", seen.String(), line)
		}
	}
	if state, _ := h.state("old"); state != "" || !h.sources.store["old"] || h.sources.store["new"] {
		t.Errorf("old is %s, marks %v", state, h.sources.store)
	}
	if state, _ := h.state("new"); state != catalog.Pending {
		t.Errorf("new is %s", state)
	}
	// Alone it is asked for by name, and a build says what it misses.
	push, _ = h.push("alone=" + commitA)
	push.Options.Detach = true
	h.hooks.PostReceive(t.Context(), push)
	if state, _ := h.state("alone"); state != catalog.Pending {
		t.Errorf("alone is %s", state)
	}
	push, seen = h.push("kept=" + commitB)
	push.Options.NoBuild = true
	h.hooks.PostReceive(t.Context(), push)
	if state, _ := h.state("kept"); state != "" || !h.sources.store["kept"] || !strings.Contains(seen.String(), "kept stored; nothing is built, as asked") {
		t.Errorf("kept is %s, marks %v, said %q", state, h.sources.store, seen.String())
	}
	h.sources.tags[lower(h.image.Ref)]["kept"] = commitB
	if err := h.hooks.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if state, _ := h.state("kept"); state != "" {
		t.Errorf("after a restart kept is %s", state)
	}
	// What is deleted is history no more.
	push, _ = h.push()
	push.Updates = []catalog.RefUpdate{{Name: "refs/tags/kept", Old: commitB}}
	h.hooks.PostReceive(t.Context(), push)
	if h.sources.store["kept"] {
		t.Error("the mark of a deleted tag stays")
	}
}
