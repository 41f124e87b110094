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
	h := newEnv(t)
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
	h := newEnv(t)
	push, seen := h.push()
	push.Updates = []catalog.RefUpdate{{Name: "refs/heads/main", New: commitA, Commit: commitA}, {Name: "refs/heads/old", Old: commitA}, {Name: "refs/tags/stray", Old: commitA}}
	h.hooks.PostReceive(t.Context(), push)
	if want := []string{"main stored; push a tag to build a version", "old deleted"}; !slices.Equal(seen.lines(), want) || h.submits != 0 {
		t.Errorf("pusher sees %q, want %q; %d submits", seen.lines(), want, h.submits)
	}
}

func TestSeveralTagsAreOneSubmitAndReportedByName(t *testing.T) {
	h := newEnv(t)
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
	h := newEnv(t)
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
	h := newEnv(t)
	h.before = func([]catalog.NewBuild) error { return errors.New("disk full") }
	push, _ := h.push("v1="+commitA, "v2="+commitA)
	result := h.hooks.PostReceive(t.Context(), push)
	slices.Sort(result.Undo)
	if want := []string{"refs/tags/v1", "refs/tags/v2"}; !slices.Equal(sortedKeys(result.Failed), want) || !slices.Equal(result.Undo, want) {
		t.Errorf("result %+v", result)
	}
}

func TestPushAgainAttaches(t *testing.T) {
	h := newEnv(t)
	h.version("v1", commitA, catalog.Building)
	h.logs["v1"] = scriptedLog{lines: []string{"from the start"}, result: endedWell}
	push, seen := h.push("v1=" + commitA)
	if result := h.hooks.PostReceive(t.Context(), push); len(result.Failed) != 0 {
		t.Errorf("result %+v", result)
	}
	if got := strings.Join(seen.lines(), "|"); got != "v1 is already being built from this commit; its log follows:|from the start" {
		t.Errorf("pusher sees %q", got)
	}
}

func TestTagOfABuiltVersionIsPutBack(t *testing.T) {
	h := newEnv(t)
	h.version("v1", commitA, catalog.Built)
	h.logs["v2"] = scriptedLog{result: endedWell}
	push, seen := h.push("v1="+commitA, "v2="+commitA)
	if result := h.hooks.PostReceive(t.Context(), push); len(result.Failed) != 0 || len(result.Undo) != 0 {
		t.Errorf("result %+v", result)
	}
	if got := strings.Join(seen.lines(), "|"); got != "[v1] v1 is already built: registry.example/alice/app:v1" {
		t.Errorf("pusher sees %q", got)
	}
}

func TestDetachReturnsWhenQueued(t *testing.T) {
	h := newEnv(t)
	h.logs["v1"] = scriptedLog{hang: true}
	push, seen := h.push("v1=" + commitA)
	push.Options.Detach = true
	if result := h.hooks.PostReceive(t.Context(), push); len(result.Failed) != 0 {
		t.Errorf("result %+v", result)
	}
	if got := strings.Join(seen.lines(), "|"); got != "v1 queued as build 1; follow it with: ssh -p 2222 git@git.example logs -f alice/App v1" {
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
			h := newEnv(t)
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
			h := newEnv(t)
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
			if got := seen.String(); !strings.Contains(got, "stays queued") || !strings.Contains(got, "ssh -p 2222 git@git.example logs -f alice/App v1") {
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
		catalog.OutcomeProcessLimit: catalog.Invalid, catalog.OutcomeDiskLimit: catalog.Invalid,
		catalog.OutcomeCancelled: catalog.Conflict, catalog.OutcomeInfrastructure: catalog.Unavailable,
	} {
		h := newEnv(t)
		h.logs["v1"] = scriptedLog{result: catalog.BuildResult{Outcome: outcome, Message: "why it ended"}}
		push, _ := h.push("v1=" + commitA)
		err := h.hooks.PostReceive(t.Context(), push).Failed["refs/tags/v1"]
		if catalog.CodeOf(err) != code || !strings.Contains(catalog.MessageOf(err), "why it ended") {
			t.Errorf("%s is reported as %v", outcome, err)
		}
	}
}

// An atomic push whose build fails leaves nothing behind but versions that were built.
func TestAtomicPushIsPutBack(t *testing.T) {
	for _, c := range []struct {
		name   string
		atomic bool
		fails  scriptedLog
		undo   []string
	}{
		{"failed", true, scriptedLog{result: catalog.BuildResult{Outcome: catalog.OutcomeUserError}}, []string{"refs/heads/main", "refs/heads/old", "refs/notes/x"}},
		{"not atomic", false, scriptedLog{result: catalog.BuildResult{Outcome: catalog.OutcomeUserError}}, nil},
		{"all built", true, scriptedLog{result: endedWell}, nil},
		{"goes on", true, scriptedLog{err: catalog.Errorf(catalog.Unavailable, "shutting down")}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newEnv(t)
			h.logs["v1"], h.logs["v2"] = scriptedLog{result: endedWell}, c.fails
			push, _ := h.push("v1="+commitA, "v2="+commitB)
			push.Atomic = c.atomic
			push.Updates = append(push.Updates, catalog.RefUpdate{Name: "refs/heads/main", New: commitA, Commit: commitA},
				catalog.RefUpdate{Name: "refs/heads/old", Old: commitA}, catalog.RefUpdate{Name: "refs/notes/x", New: commitA})
			result := h.hooks.PostReceive(t.Context(), push)
			slices.Sort(result.Undo)
			if !slices.Equal(result.Undo, c.undo) {
				t.Errorf("to be put back: %q, want %q", result.Undo, c.undo)
			}
			for _, name := range c.undo {
				if result.Failed[name] == nil {
					t.Errorf("%s is put back, but reported as done", name)
				}
			}
			if result.Failed["refs/tags/v1"] != nil {
				t.Errorf("v1 was built: %v", result.Failed)
			}
		})
	}
}

// Of many tags there is one line each: what was built here, what was not in git's report.
func TestManyTagsAreToldInALineEach(t *testing.T) {
	h := newEnv(t)
	var tags []string
	for i := range 6 {
		name := fmt.Sprintf("v%d", i)
		tags = append(tags, name+"="+commitA)
		h.logs[name] = scriptedLog{lines: []string{"one", "two"}, result: endedWell}
	}
	h.logs["v4"] = scriptedLog{result: catalog.BuildResult{Outcome: catalog.OutcomeBuilt, Message: "Nothing has changed since version v1"}}
	h.logs["v3"] = scriptedLog{lines: []string{"one", "two"}, result: catalog.BuildResult{Outcome: catalog.OutcomeUserError, Message: "no Dockerfile"}}
	push, seen := h.push(tags...)
	result := h.hooks.PostReceive(t.Context(), push)
	lines := seen.lines()
	slices.Sort(lines)
	if len(lines) != 5 || lines[0] != "[v0] built: registry.example/alice/App:v0" && lines[0] != "[v0] built: registry.example/alice/app:v0" {
		t.Errorf("pusher sees %q", lines)
	}
	if !slices.ContainsFunc(lines, func(line string) bool {
		return strings.HasPrefix(line, "[v4] built: ") && strings.HasSuffix(line, ":v4 (Nothing has changed since version v1)")
	}) {
		t.Errorf("nothing says why v4 is the same: %q", lines)
	}
	if err := result.Failed["refs/tags/v3"]; len(result.Failed) != 1 || catalog.MessageOf(err) != "not built, user error: no Dockerfile" {
		t.Errorf("report %v", result.Failed)
	}
}

// What failed is not built again by each push of all tags, but by one of this tag, or that asks for something.
func TestKnownFailuresAreNotBuiltAgain(t *testing.T) {
	h := newEnv(t)
	h.version("bad", commitA, catalog.BuildFailed)
	h.version("ours", commitA, catalog.Failed) // may be different the next time
	for _, c := range []struct {
		tags    []string
		target  string
		refused []string
	}{
		{[]string{"bad=" + commitA, "ours=" + commitA, "new=" + commitA}, "", []string{"refs/tags/bad"}},
		{[]string{"bad=" + commitB, "new=" + commitA}, "", nil},
		{[]string{"bad=" + commitA, "new=" + commitA}, "tiny", nil},
		{[]string{"bad=" + commitA}, "", nil},
	} {
		push, _ := h.push(c.tags...)
		push.Options.Build.Target = c.target
		refused := h.hooks.PreReceive(t.Context(), push)
		if !slices.Equal(sortedKeys(refused), c.refused) {
			t.Errorf("of %q were refused %v", c.tags, refused)
		}
		if err := refused["refs/tags/bad"]; err != nil && !strings.Contains(catalog.MessageOf(err), "push this tag alone") {
			t.Error(err)
		}
	}
}

// Who loses the right to push sees no more of what the build says.
func TestFollowingAPushEndsWithTheRight(t *testing.T) {
	h := newEnv(t)
	h.logs["v1"] = scriptedLog{lines: []string{"one", "two"}, result: catalog.BuildResult{Outcome: catalog.OutcomeBuilt}}
	push, seen := h.push("v1=" + commitA)
	asked := 0
	push.StillAllowed = func(context.Context) error {
		if asked++; asked > 1 {
			return catalog.Errorf(catalog.Unauthorized, "the SSH key has been removed")
		}
		return nil
	}
	result := h.hooks.PostReceive(t.Context(), push)
	if text := strings.Join(seen.lines(), "\n"); !strings.Contains(text, "one") || strings.Contains(text, "two") {
		t.Errorf("shown: %s", text)
	}
	if err := result.Failed["refs/tags/v1"]; catalog.CodeOf(err) != catalog.Unauthorized || !strings.Contains(err.Error(), "the build continues") {
		t.Errorf("told: %v", err)
	}
}
