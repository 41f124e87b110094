package storetest

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

func testQueueBuilds(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	i := newImage(t, s, "ann", "app")
	n := asked(i, "v1", commitA)
	n.Options = catalog.BuildOptions{NoCache: true, Args: map[string]string{"A": "1 ü"}, Target: "t", Platform: "linux/arm64", Dockerfile: "d/f", Context: "c", Pull: true}
	queued := must(s.QueueBuilds(ctx, []catalog.NewBuild{n, asked(i, "v2", commitB)}))(t)
	wantEqual(t, "builds", len(queued), 2)
	b := queued[0]
	wantRecent(t, "queued", b.QueuedAt)
	want := catalog.Build{
		ID: b.ID, VersionID: b.VersionID, Number: 1, Image: i.Ref, ImageID: i.ID, Source: i.Ref, SourceID: i.ID, Version: "v1", Tag: "v1", Trigger: catalog.TriggerPush,
		Commit: commitA, UserID: i.OwnerID, Options: n.Options, State: catalog.Pending, QueuedAt: b.QueuedAt,
	}
	wantEqual(t, "queued", b, catalog.QueuedBuild{Build: want})
	wantEqual(t, "stored", must(s.Build(ctx, b.ID))(t), want)
	v := must(s.Version(ctx, i.ID, "v1"))(t)
	wantRecent(t, "version created", v.CreatedAt)
	wantEqual(t, "version", v, catalog.Version{
		ID: b.VersionID, ImageID: i.ID, Name: "v1", Tag: "v1", State: catalog.Pending, Trigger: catalog.TriggerPush, Commit: commitA, CreatedAt: v.CreatedAt,
	})

	n.UserID, n.Version = 0, "v3" // a webhook has no user
	wantEqual(t, "a build of no user", must(s.QueueBuilds(ctx, []catalog.NewBuild{n}))(t)[0].UserID, 0)
	wantEqual(t, "no builds", len(must(s.QueueBuilds(ctx, nil))(t)), 0)
	twice := must(s.QueueBuilds(ctx, []catalog.NewBuild{asked(i, "v4", commitA), asked(i, "v4", commitA)}))(t)
	if twice[0].Attached || !twice[1].Attached || twice[0].ID != twice[1].ID {
		t.Errorf("one version twice in a call: got %+v", twice)
	}
}

func testQueueErrors(t *testing.T, s catalog.Store) {
	i := newImage(t, s, "ann", "app")
	build(t, s, i, "built", catalog.OutcomeBuilt)
	queue(t, s, i, "waits")
	missing := i
	missing.ID = 999
	for _, c := range []struct {
		what string
		ask  catalog.NewBuild
		code catalog.Code
	}{
		{"no name", asked(i, "", commitA), catalog.Invalid},
		{"no tag", asked(i, "a b", commitA), catalog.Invalid},
		{"no image", asked(missing, "v1", commitA), catalog.NotFound},
		{"built, same commit", asked(i, "built", commitA), catalog.Conflict},
		{"built, other commit", asked(i, "built", commitB), catalog.Conflict},
		{"waits, other commit", asked(i, "waits", commitB), catalog.Conflict},
	} {
		queued, err := s.QueueBuilds(t.Context(), []catalog.NewBuild{c.ask})
		if got := catalog.CodeOf(err); got != c.code || queued != nil {
			t.Errorf("%s: got %v and %q (%v), want %q", c.what, queued, got, err, c.code)
		}
	}
}

func testQueueAllOrNone(t *testing.T, s catalog.Store) {
	i := newImage(t, s, "ann", "app")
	build(t, s, i, "built", catalog.OutcomeBuilt)
	_, err := s.QueueBuilds(t.Context(), []catalog.NewBuild{asked(i, "v1", commitA), asked(i, "built", commitB), asked(i, "v2", commitA)})
	wantCode(t, err, catalog.Conflict)
	wantEqual(t, "versions", len(must(s.ListVersions(t.Context(), i.ID, catalog.VersionFilter{}))(t)), 1)
	_, err = s.ClaimBuild(t.Context(), worker, math.MaxInt, base, base)
	wantCode(t, err, catalog.NotFound)
}

// testRetry asks again for versions whose build failed, from another commit.
func testRetry(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	i := newImage(t, s, "ann", "app")
	for _, outcome := range []catalog.Outcome{catalog.OutcomeUserError, catalog.OutcomeInfrastructure} {
		version := "after-" + string(outcome)
		first := build(t, s, i, version, outcome)
		before := must(s.Version(ctx, i.ID, version))(t)
		n := asked(i, version, commitB)
		n.Trigger = catalog.TriggerRebuild
		second := must(s.QueueBuilds(ctx, []catalog.NewBuild{n}))(t)[0]
		if second.Attached || second.Number != 2 || second.VersionID != first.VersionID || second.ID <= first.ID {
			t.Errorf("got %+v", second)
		}
		want := before
		want.State, want.Commit, want.Trigger = catalog.Pending, commitB, catalog.TriggerRebuild
		wantEqual(t, "version", must(s.Version(ctx, i.ID, version))(t), want)
		finish(t, s, claim(t, s).ID, catalog.OutcomeBuilt)
		want.State, want.Digest, want.Size = catalog.Built, "sha256:d1", 42
		wantEqual(t, "built version", must(s.Version(ctx, i.ID, version))(t), want)
		if got := must(s.Build(ctx, first.ID))(t); got.State != outcome.State() || got.Commit != commitA {
			t.Errorf("the first build changed: got %+v", got)
		}
	}
}

func testListBuilds(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	i := newImage(t, s, "ann", "app")
	var want []int
	var last catalog.Build
	for n := range 5 {
		last = build(t, s, i, "v1", catalog.OutcomeUserError)
		build(t, s, i, fmt.Sprintf("other%d", n), catalog.OutcomeUserError)
		want = append([]int{n + 1}, want...)
	}
	numbers := func(page catalog.Page) (numbers []int) {
		for _, b := range must(s.ListBuilds(ctx, last.VersionID, page))(t) {
			numbers = append(numbers, b.Number)
		}
		return numbers
	}
	if got := numbers(catalog.Page{}); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := numbers(catalog.Page{Limit: 2, Before: last.ID}); !slices.Equal(got, want[1:3]) {
		t.Errorf("second page: got %v, want %v", got, want[1:3])
	}
	wantEqual(t, "no version", len(must(s.ListBuilds(ctx, 999, catalog.Page{}))(t)), 0)
}

func testFinishBuild(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	i := newImage(t, s, "ann", "app")
	for _, outcome := range catalog.Outcomes {
		version := string(outcome)
		queue(t, s, i, version)
		want := claim(t, s)
		result := resultOf(outcome)
		result.Message = "because"
		never := catalog.Step{Digest: "sha256:c", Name: "never began"}
		late := catalog.Step{Digest: "sha256:b", Name: "RUN b", StartedAt: base.Add(2 * time.Microsecond), Error: "exit code: 1", Number: 2, Inputs: []string{"sha256:a", "sha256:elsewhere"}}
		early := catalog.Step{Digest: "sha256:a", Name: "RUN a", Platform: "linux/arm64", StartedAt: base.Add(time.Microsecond), EndedAt: base.Add(time.Second), Cached: true}
		result.Steps = []catalog.Step{never, late, early}
		noError(t, s.FinishBuild(ctx, want.ID, worker, result))

		want.State, want.Outcome, want.Message, want.EndedAt = outcome.State(), outcome, "because", result.EndedAt
		wantEqual(t, "build", must(s.Build(ctx, want.ID))(t), want)
		v := must(s.Version(ctx, i.ID, version))(t)
		wantEqual(t, "state", v.State, outcome.State())
		wantEqual(t, "digest", v.Digest, result.Digest)
		wantEqual(t, "size", v.Size, result.Size)
		late.Inputs = late.Inputs[:1] // what is no step of the build is not kept
		wantEqual(t, "steps", must(s.Steps(ctx, want.ID))(t), []catalog.Step{early, late, never})
		wantCode(t, s.FinishBuild(ctx, want.ID, worker, result), catalog.Conflict)
	}
	queue(t, s, i, "no-digest")
	b := claim(t, s)
	wantCode(t, s.FinishBuild(ctx, b.ID, worker, catalog.BuildResult{Outcome: catalog.OutcomeBuilt}), catalog.Invalid)
	wantEqual(t, "state after a refused end", must(s.Build(ctx, b.ID))(t).State, catalog.Building)
	_, err := s.Build(ctx, 999)
	wantCode(t, err, catalog.NotFound)
	wantEqual(t, "steps of no build", len(must(s.Steps(ctx, 999))(t)), 0)
}

func testVersionByRecipe(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	i, other := newImage(t, s, "ann", "app"), newImage(t, s, "ann", "other")
	build := func(i catalog.Image, version, recipe string, outcome catalog.Outcome) {
		t.Helper()
		queue(t, s, i, version)
		result := resultOf(outcome)
		result.Recipe = recipe
		noError(t, s.FinishBuild(ctx, claim(t, s).ID, worker, result))
	}
	none := func(recipe string) {
		t.Helper()
		_, err := s.VersionByRecipe(ctx, i.ID, recipe)
		wantCode(t, err, catalog.NotFound)
	}
	build(other, "1", "r", catalog.OutcomeBuilt)
	build(i, "unknown", "", catalog.OutcomeBuilt)
	build(i, "failed", "r", catalog.OutcomeUserError)
	none("r")
	none("")
	build(i, "1", "r", catalog.OutcomeBuilt)
	build(i, "2", "r", catalog.OutcomeBuilt)
	build(i, "3", "s", catalog.OutcomeBuilt)
	second := must(s.Version(ctx, i.ID, "2"))(t)
	wantEqual(t, "the newest", must(s.VersionByRecipe(ctx, i.ID, "r"))(t), second)
	noError(t, s.DeleteVersion(ctx, second.ID, ""))
	wantEqual(t, "what is left", must(s.VersionByRecipe(ctx, i.ID, "r"))(t).Name, "1")
	queue(t, s, i, "failed")
	claim(t, s)
	wantEqual(t, "beside one that is built", must(s.VersionByRecipe(ctx, i.ID, "r"))(t).Name, "1")
	none("t")
}

func testCancelBuild(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	i := newImage(t, s, "ann", "app")
	waiting := queue(t, s, i, "waits")
	b := must(s.CancelBuild(ctx, waiting.ID, base))(t)
	want := waiting.Build
	want.State, want.Outcome, want.Cancelled, want.EndedAt, want.Message = catalog.Failed, catalog.OutcomeCancelled, true, base, b.Message
	wantEqual(t, "waiting", b, want)
	wantEqual(t, "has a message", b.Message != "", true)
	wantEqual(t, "stored", must(s.Build(ctx, b.ID))(t), b)
	wantEqual(t, "version", must(s.Version(ctx, i.ID, "waits"))(t).State, catalog.Failed)
	_, err := s.ClaimBuild(ctx, worker, math.MaxInt, base, base)
	wantCode(t, err, catalog.NotFound)
	_, err = s.CancelBuild(ctx, b.ID, base)
	wantCode(t, err, catalog.Conflict)
	_, err = s.CancelBuild(ctx, 999, base)
	wantCode(t, err, catalog.NotFound)
}

// testCancelledIsKept cancels a running build that then comes back to the queue.
func testCancelledIsKept(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	i := newImage(t, s, "ann", "app")
	queue(t, s, i, "v1")
	running := claim(t, s)
	for range 2 {
		want := running
		want.Cancelled = true
		wantEqual(t, "running", must(s.CancelBuild(ctx, running.ID, base))(t), want)
	}
	noError(t, s.ReleaseBuild(ctx, running.ID, worker, time.Time{}, true))
	if b := claim(t, s); b.ID != running.ID || !b.Cancelled {
		t.Errorf("claimed again: got %+v, want it cancelled", b)
	}
}
