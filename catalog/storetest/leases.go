package storetest

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

func testClaimBuild(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	_, err := s.ClaimBuild(ctx, worker, math.MaxInt, base, base.Add(time.Minute))
	wantCode(t, err, catalog.NotFound)
	i := newImage(t, s, "ann", "app")
	first, second := queue(t, s, i, "v1"), queue(t, s, i, "v2")
	b := claim(t, s)
	want := first.Build
	want.State, want.Attempts, want.StartedAt = catalog.Building, 1, base
	wantEqual(t, "oldest first", b, want)
	wantEqual(t, "version", must(s.Version(ctx, i.ID, "v1"))(t).State, catalog.Building)
	wantEqual(t, "then the next", claim(t, s).ID, second.ID)
	_, err = s.ClaimBuild(ctx, worker, math.MaxInt, base, base.Add(time.Minute))
	wantCode(t, err, catalog.NotFound)
}

// testClaimIsFair queues many builds of one namespace between a few of others.
func testClaimIsFair(t *testing.T, s catalog.Store) {
	images := map[string]catalog.Image{}
	for _, namespace := range []string{"ann", "bob", "carol"} {
		images[namespace] = newImage(t, s, namespace, "app")
	}
	for n, namespace := range []string{"bob", "ann", "ann", "ann", "ann", "bob", "carol"} {
		queue(t, s, images[namespace], fmt.Sprintf("v%d", n))
	}
	var claimed []catalog.Build
	take := func(want string) {
		t.Helper()
		b := claim(t, s)
		wantEqual(t, fmt.Sprintf("claim %d", len(claimed)+1), b.Image.Namespace+" "+b.Version, want)
		claimed = append(claimed, b)
	}
	take("bob v0") // none runs anywhere: the oldest
	take("ann v1")
	take("carol v6")
	take("ann v2") // one runs in each: the oldest again
	take("bob v5")
	take("ann v3")
	finish(t, s, claimed[1].ID, catalog.OutcomeBuilt)
	queue(t, s, images["carol"], "late")
	take("carol late") // one of carol's runs, two of ann's
	take("ann v4")
}

// testClaimTakesTurns runs one build at a time, as a small installation does.
func testClaimTakesTurns(t *testing.T, s catalog.Store) {
	images := map[string]catalog.Image{}
	for _, namespace := range []string{"ann", "bob", "carol"} {
		images[namespace] = newImage(t, s, namespace, "app")
	}
	for n, namespace := range []string{"ann", "ann", "ann", "ann", "bob", "bob", "carol"} {
		queue(t, s, images[namespace], fmt.Sprintf("v%d", n))
	}
	for n, want := range []string{"ann v0", "bob v4", "carol v6", "ann v1", "bob v5", "ann v2", "ann v3"} {
		now := base.Add(time.Duration(n) * time.Minute)
		b := must(s.ClaimBuild(t.Context(), worker, math.MaxInt, now, now.Add(time.Minute)))(t)
		wantEqual(t, fmt.Sprintf("claim %d", n+1), b.Image.Namespace+" "+b.Version, want)
		finish(t, s, b.ID, catalog.OutcomeBuilt)
	}
}

// testClaimOfTheIdle passes over namespaces that have builds running.
func testClaimOfTheIdle(t *testing.T, s catalog.Store) {
	for _, namespace := range []string{"ann", "bob"} {
		i := newImage(t, s, namespace, "app")
		for n := range 3 {
			queue(t, s, i, fmt.Sprintf("v%d", n))
		}
	}
	take := func(busiest int, want string) {
		t.Helper()
		b, err := s.ClaimBuild(t.Context(), worker, busiest, base, base.Add(time.Minute))
		if want == "" {
			wantCode(t, err, catalog.NotFound)
			return
		}
		noError(t, err)
		wantEqual(t, fmt.Sprintf("with %d running at most", busiest), b.Image.Namespace+" "+b.Version, want)
	}
	take(0, "ann v0")
	take(0, "bob v0")
	take(0, "")
	take(1, "ann v1")
	take(1, "bob v1")
	take(1, "")
	take(2, "ann v2")
}

// testClaimRace has many workers empty the queue at the same time.
func testClaimRace(t *testing.T, s catalog.Store) {
	const builds, workers = 40, 8
	i := newImage(t, s, "ann", "app")
	for n := range builds {
		queue(t, s, i, fmt.Sprintf("v%d", n))
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	owners := map[int64]string{}
	for n := range workers {
		workerID := fmt.Sprintf("worker%d", n)
		wg.Go(func() {
			for {
				b, err := s.ClaimBuild(t.Context(), workerID, math.MaxInt, base, base.Add(time.Minute))
				if catalog.CodeOf(err) == catalog.NotFound {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if other, twice := owners[b.ID]; twice {
					t.Errorf("build %d went to %s and %s", b.ID, other, workerID)
				}
				owners[b.ID] = workerID
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	wantEqual(t, "claimed builds", len(owners), builds)
}

// testQueueRace has pushes of one version from two commits race: one commit
// wins, the pushes of that commit share its build, the others are refused.
func testQueueRace(t *testing.T, s catalog.Store) {
	const pushes = 12
	i := newImage(t, s, "ann", "app")
	var queued [pushes]catalog.QueuedBuild
	var errs [pushes]error
	var wg sync.WaitGroup
	for n := range pushes {
		wg.Go(func() {
			commit := []string{commitA, commitB}[n%2]
			list, err := s.QueueBuilds(t.Context(), []catalog.NewBuild{asked(i, "v1", commit)})
			if errs[n] = err; err == nil {
				queued[n] = list[0]
			}
		})
	}
	wg.Wait()
	winner := must(s.Version(t.Context(), i.ID, "v1"))(t)
	all := must(s.ListBuilds(t.Context(), winner.ID, catalog.Page{}))(t)
	wantEqual(t, "builds", len(all), 1)
	made := 0
	for n := range pushes {
		if commit := []string{commitA, commitB}[n%2]; commit != winner.Commit {
			wantCode(t, errs[n], catalog.Conflict)
			continue
		}
		noError(t, errs[n])
		wantEqual(t, "build", queued[n].ID, all[0].ID)
		if !queued[n].Attached {
			made++
		}
	}
	wantEqual(t, "pushes that made the build", made, 1)
}

func testNotBefore(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	_, ok, err := s.NextWake(ctx)
	noError(t, err)
	wantEqual(t, "something waits in an empty queue", ok, false)
	i := newImage(t, s, "ann", "app")
	queue(t, s, i, "v1")
	at, ok, err := s.NextWake(ctx)
	noError(t, err)
	if !ok || at.After(time.Now()) {
		t.Errorf("a new build: got %v, %v, want at once", at, ok)
	}
	first := claim(t, s)
	_, ok, err = s.NextWake(ctx)
	noError(t, err)
	wantEqual(t, "something waits while all run", ok, false)

	queue(t, s, i, "v2")
	state := must(s.QueueState(ctx))(t)
	wantEqual(t, "queue", state, catalog.QueueState{Waiting: 1, Running: 1, Oldest: state.Oldest})
	if state.Oldest.IsZero() {
		t.Error("the oldest build has no time")
	}
	second := claim(t, s)
	wantEqual(t, "queue while all run", must(s.QueueState(ctx))(t), catalog.QueueState{Running: 2})
	noError(t, s.ReleaseBuild(ctx, first.ID, worker, base.Add(2*time.Minute), false))
	noError(t, s.ReleaseBuild(ctx, second.ID, worker, base.Add(time.Minute), false))
	at, ok, err = s.NextWake(ctx)
	noError(t, err)
	if !ok || !at.Equal(base.Add(time.Minute)) {
		t.Errorf("next wake: got %v, %v, want %v", at, ok, base.Add(time.Minute))
	}
	_, err = s.ClaimBuild(ctx, worker, math.MaxInt, at.Add(-time.Microsecond), at)
	wantCode(t, err, catalog.NotFound)
	b := must(s.ClaimBuild(ctx, worker, math.MaxInt, at, at.Add(time.Hour)))(t)
	wantEqual(t, "the one whose time has come", b.ID, second.ID)
}

func testRefund(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	i := newImage(t, s, "ann", "app")
	b := queue(t, s, i, "v1")
	for _, c := range []struct {
		refund bool
		left   int
	}{{true, 0}, {false, 1}, {true, 1}, {false, 2}} {
		wantEqual(t, "attempts when claimed", claim(t, s).Attempts, must(s.Build(ctx, b.ID))(t).Attempts)
		noError(t, s.ReleaseBuild(ctx, b.ID, worker, time.Time{}, c.refund))
		got := must(s.Build(ctx, b.ID))(t)
		wantEqual(t, "attempts left", got.Attempts, c.left)
		wantEqual(t, "state", got.State, catalog.Pending)
		wantEqual(t, "version", must(s.Version(ctx, i.ID, "v1"))(t).State, catalog.Pending)
		if !got.StartedAt.IsZero() {
			t.Errorf("started at %v while it waits", got.StartedAt)
		}
	}
}

func testReclaim(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	i := newImage(t, s, "ann", "app")
	leases := []struct {
		workerID string
		until    time.Duration
		lost     bool
	}{
		{"dead", time.Hour, true}, {"dead", -time.Hour, true}, {worker, -time.Microsecond, true}, {worker, 0, false}, {worker, time.Hour, false},
	}
	builds := make([]catalog.Build, 0, len(leases))
	for n, l := range leases {
		queue(t, s, i, fmt.Sprintf("v%d", n))
		builds = append(builds, must(s.ClaimBuild(ctx, l.workerID, math.MaxInt, base, base.Add(l.until)))(t))
	}
	wantEqual(t, "reclaimed", must(s.ReclaimBuilds(ctx, worker, base))(t), 3)
	wantEqual(t, "reclaimed again", must(s.ReclaimBuilds(ctx, worker, base))(t), 0)
	for n, l := range leases {
		want, code := catalog.Building, catalog.Code("")
		if l.lost {
			want, code = catalog.Pending, catalog.Conflict
		}
		b := must(s.Build(ctx, builds[n].ID))(t)
		wantEqual(t, b.Version, b.State, want)
		wantEqual(t, b.Version+"'s attempts", b.Attempts, 1)
		wantEqual(t, b.Version+" itself", must(s.Version(ctx, i.ID, b.Version))(t).State, want)
		wantCode(t, s.ExtendLease(ctx, b.ID, l.workerID, base.Add(time.Hour)), code)
	}
	again := claim(t, s)
	wantEqual(t, "claimed after", again.ID, builds[0].ID)
	wantEqual(t, "attempts", again.Attempts, 2)
	// A clock that is set back leaves pauses behind that nobody meant.
	noError(t, s.ReleaseBuild(ctx, again.ID, worker, base.Add(catalog.LongestPause), true))
	must(s.ReclaimBuilds(ctx, worker, base))(t)
	wantEqual(t, "claimed in a pause", claim(t, s).ID, builds[1].ID)
	must(s.ReclaimBuilds(ctx, worker, base.Add(-time.Second)))(t)
	wantEqual(t, "claimed after the clock was set back", claim(t, s).ID, again.ID)
}

// testLostLease has a worker lose its build to another one.
func testLostLease(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	i := newImage(t, s, "ann", "app")
	queue(t, s, i, "v1")
	b := must(s.ClaimBuild(ctx, "old", math.MaxInt, base, base.Add(time.Minute)))(t)
	noError(t, s.ExtendLease(ctx, b.ID, "old", base.Add(time.Hour)))
	wantEqual(t, "extended lease lost", must(s.ReclaimBuilds(ctx, "old", base.Add(2*time.Minute)))(t), 0)
	wantEqual(t, "ended lease lost", must(s.ReclaimBuilds(ctx, "old", base.Add(2*time.Hour)))(t), 1)
	claim(t, s)
	for what, err := range map[string]error{
		"extend":  s.ExtendLease(ctx, b.ID, "old", base.Add(3*time.Hour)),
		"release": s.ReleaseBuild(ctx, b.ID, "old", time.Time{}, true),
		"finish":  s.FinishBuild(ctx, b.ID, "old", resultOf(catalog.OutcomeBuilt)),
		"unknown": errors.Join(s.ExtendLease(ctx, 999, "old", base), s.ReleaseBuild(ctx, 999, "old", base, false)),
	} {
		if got := catalog.CodeOf(err); got != catalog.Conflict {
			t.Errorf("%s: got %q (%v), want %q", what, got, err, catalog.Conflict)
		}
	}
	wantEqual(t, "state", must(s.Build(ctx, b.ID))(t).State, catalog.Building)
	finish(t, s, b.ID, catalog.OutcomeBuilt)
	wantEqual(t, "end by the new worker", must(s.Version(ctx, i.ID, "v1"))(t).State, catalog.Built)
}
