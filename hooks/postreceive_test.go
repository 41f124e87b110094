package hooks_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

var endedWell = catalog.BuildResult{Outcome: catalog.OutcomeBuilt}

func TestOneTagShowsItsLog(t *testing.T) {
	h := newHouse(t)
	h.logs["v1"] = scriptedLog{lines: []string{"Building", "", "Built"}, result: endedWell}
	push, seen := h.push("v1=" + commitA)
	push.Updates = append([]catalog.RefUpdate{{Name: "refs/heads/main", New: commitA, Commit: commitA}}, push.Updates...)
	push.Options.Build.Target = "tiny"
	result := h.hooks.PostReceive(t.Context(), push)
	if len(result.Failed) != 0 || len(result.Undo) != 0 {
		t.Errorf("result %+v", result)
	}
	if want := []string{"main stored", "Building", "", "Built"}; !slices.Equal(seen.lines(), want) {
		t.Errorf("pusher sees %q, want %q", seen.lines(), want)
	}
	build, err := h.store.Build(t.Context(), 1)
	if err != nil || build.Commit != commitA || build.Trigger != catalog.TriggerPush || build.UserID != h.image.OwnerID || build.Options.Target != "tiny" {
		t.Errorf("queued %+v, %v", build, err)
	}
}

func TestBranchIsStored(t *testing.T) {
	h := newHouse(t)
	push, seen := h.push()
	push.Updates = []catalog.RefUpdate{{Name: "refs/heads/main", New: commitA, Commit: commitA}, {Name: "refs/heads/old", Old: commitA}, {Name: "refs/tags/stray", Old: commitA}}
	h.hooks.PostReceive(t.Context(), push)
	if want := []string{"main stored; push a tag to build a version", "old deleted"}; !slices.Equal(seen.lines(), want) || h.submits != 0 {
		t.Errorf("pusher sees %q, want %q; %d submits", seen.lines(), want, h.submits)
	}
}

func TestSeveralTagsAreOneSubmitAndReportedByName(t *testing.T) {
	h := newHouse(t)
	h.logs["v1"] = scriptedLog{lines: []string{"one", "", "two"}, result: endedWell}
	h.logs["v2"] = scriptedLog{lines: []string{"three"}, result: catalog.BuildResult{Outcome: catalog.OutcomeUserError, Message: "RUN false exited with 1"}}
	push, seen := h.push("v1="+commitA, "v2="+commitB)
	result := h.hooks.PostReceive(t.Context(), push)
	if h.submits != 1 {
		t.Errorf("%d submits, want one transaction", h.submits)
	}
	if got := sortedKeys(result.Failed); !slices.Equal(got, []string{"refs/tags/v2"}) || len(result.Undo) != 0 {
		t.Errorf("result %+v", result)
	}
	if err := result.Failed["refs/tags/v2"]; catalog.CodeOf(err) != catalog.Invalid || catalog.MessageOf(err) != "not built, user error: RUN false exited with 1" {
		t.Errorf("report = %v", err)
	}
	lines := seen.lines()
	slices.Sort(lines)
	if want := []string{"[v1]", "[v1] one", "[v1] two", "[v2] three"}; !slices.Equal(lines, want) {
		t.Errorf("pusher sees %q, want %q", lines, want)
	}
}

func TestLostRaceDropsOnlyItsTag(t *testing.T) {
	h := newHouse(t)
	h.version("v2", commitB, catalog.Building) // the other client was first
	h.logs["v1"], h.logs["v3"] = scriptedLog{result: endedWell}, scriptedLog{result: endedWell}
	push, _ := h.push("v1="+commitA, "v2="+commitA, "v3="+commitA)
	result := h.hooks.PostReceive(t.Context(), push)
	if got := sortedKeys(result.Failed); !slices.Equal(got, []string{"refs/tags/v2"}) || !slices.Equal(result.Undo, got) {
		t.Errorf("result %+v", result)
	}
	if catalog.CodeOf(result.Failed["refs/tags/v2"]) != catalog.Conflict {
		t.Errorf("report = %v", result.Failed)
	}
	for _, v := range []string{"v1", "v3"} {
		if state, _ := h.state(v); state != catalog.Pending {
			t.Errorf("%s is %q", v, state)
		}
	}
}

func TestNothingQueuedIsUndone(t *testing.T) {
	h := newHouse(t)
	h.before = func([]catalog.NewBuild) error { return errors.New("disk full") }
	push, _ := h.push("v1="+commitA, "v2="+commitA)
	result := h.hooks.PostReceive(t.Context(), push)
	slices.Sort(result.Undo)
	if want := []string{"refs/tags/v1", "refs/tags/v2"}; !slices.Equal(sortedKeys(result.Failed), want) || !slices.Equal(result.Undo, want) {
		t.Errorf("result %+v", result)
	}
}

func TestPushAgainAttaches(t *testing.T) {
	h := newHouse(t)
	h.version("v1", commitA, catalog.Building)
	h.logs["v1"] = scriptedLog{lines: []string{"from the start"}, result: endedWell}
	push, seen := h.push("v1=" + commitA)
	if result := h.hooks.PostReceive(t.Context(), push); len(result.Failed) != 0 {
		t.Errorf("result %+v", result)
	}
	if got := strings.Join(seen.lines(), "|"); got != "v1 is being built from this commit already; this is its log:|from the start" {
		t.Errorf("pusher sees %q", got)
	}
}

func TestTagOfABuiltVersionIsPutBack(t *testing.T) {
	h := newHouse(t)
	h.version("v1", commitA, catalog.Built)
	h.logs["v2"] = scriptedLog{result: endedWell}
	push, seen := h.push("v1="+commitA, "v2="+commitA)
	if result := h.hooks.PostReceive(t.Context(), push); len(result.Failed) != 0 || len(result.Undo) != 0 {
		t.Errorf("result %+v", result)
	}
	if got := strings.Join(seen.lines(), "|"); got != "[v1] v1 is built already: registry.example/alice/app:v1" {
		t.Errorf("pusher sees %q", got)
	}
}

func TestDetachReturnsWhenQueued(t *testing.T) {
	h := newHouse(t)
	h.logs["v1"] = scriptedLog{hang: true}
	push, seen := h.push("v1=" + commitA)
	push.Options.Detach = true
	if result := h.hooks.PostReceive(t.Context(), push); len(result.Failed) != 0 {
		t.Errorf("result %+v", result)
	}
	if got := strings.Join(seen.lines(), "|"); got != "v1 is queued as build 1; follow it with: ssh -p 2222 git.example logs -f alice/App v1" {
		t.Errorf("pusher sees %q", got)
	}
}

func TestLostConnection(t *testing.T) {
	for _, c := range []struct {
		cancel, attached bool
		cancelled        int
	}{
		{cancel: false, cancelled: 0},
		{cancel: true, cancelled: 1},
		{cancel: true, attached: true, cancelled: 0},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			h := newHouse(t)
			if c.attached {
				h.version("v1", commitA, catalog.Pending)
			}
			h.logs["v1"] = scriptedLog{hang: true}
			push, _ := h.push("v1=" + commitA)
			push.Options.CancelOnDisconnect = c.cancel
			gone := make(chan struct{})
			close(gone)
			push.Gone = gone
			result := h.hooks.PostReceive(t.Context(), push)
			if len(result.Failed) != 0 || len(result.Undo) != 0 || len(h.cancelled) != c.cancelled {
				t.Errorf("result %+v, cancelled %v", result, h.cancelled)
			}
			if state, _ := h.state("v1"); state != catalog.Pending {
				t.Errorf("the build is %q after the connection was lost", state)
			}
		})
	}
}

func TestServerShutsDown(t *testing.T) {
	for name, log := range map[string]scriptedLog{
		"builder says so":      {err: catalog.Errorf(catalog.Unavailable, "down")},
		"session is cut first": {hang: true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.logs["v1"] = log
			push, seen := h.push("v1=" + commitA)
			ctx, cancel := context.WithCancel(t.Context())
			if cancel(); !log.hang {
				ctx = t.Context()
			}
			result := h.hooks.PostReceive(ctx, push)
			if err := result.Failed["refs/tags/v1"]; catalog.CodeOf(err) != catalog.Unavailable || len(result.Undo) != 0 {
				t.Errorf("result %+v", result)
			}
			if got := seen.String(); !strings.Contains(got, "stays queued") || !strings.Contains(got, "ssh -p 2222 git.example logs -f alice/App v1") {
				t.Errorf("pusher sees %q", got)
			}
			if state, _ := h.state("v1"); state != catalog.Pending {
				t.Errorf("version is %q", state)
			}
		})
	}
}

func TestOutcomesInTheReport(t *testing.T) {
	for outcome, code := range map[catalog.Outcome]catalog.Code{
		catalog.OutcomeUserError: catalog.Invalid, catalog.OutcomeTimeout: catalog.Invalid, catalog.OutcomeOutOfMemory: catalog.Invalid,
		catalog.OutcomeCancelled: catalog.Conflict, catalog.OutcomeInfrastructure: catalog.Unavailable,
	} {
		h := newHouse(t)
		h.logs["v1"] = scriptedLog{result: catalog.BuildResult{Outcome: outcome, Message: "why it ended"}}
		push, _ := h.push("v1=" + commitA)
		err := h.hooks.PostReceive(t.Context(), push).Failed["refs/tags/v1"]
		if catalog.CodeOf(err) != code || !strings.Contains(catalog.MessageOf(err), "why it ended") {
			t.Errorf("%s is reported as %v", outcome, err)
		}
	}
}
