package storetest

import (
	"math"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// lead takes a new version to a state and returns its build.
func lead(t *testing.T, s catalog.Store, i catalog.Image, version string, to catalog.State) catalog.Build {
	t.Helper()
	switch to {
	case catalog.Built:
		return build(t, s, i, version, catalog.OutcomeBuilt)
	case catalog.BuildFailed:
		return build(t, s, i, version, catalog.OutcomeUserError)
	case catalog.Failed:
		return build(t, s, i, version, catalog.OutcomeTimeout)
	}
	b := queue(t, s, i, version).Build
	if to == catalog.Building {
		return claim(t, s)
	}
	return b
}

// step is something done to a build, and to which state it leads from each
// state; from a state that is missing it is a Conflict and changes nothing.
type step struct {
	name string
	do   func(t *testing.T, s catalog.Store, b catalog.Build) error
	to   map[catalog.State]catalog.State
}

func finishing(outcome catalog.Outcome) func(*testing.T, catalog.Store, catalog.Build) error {
	return func(t *testing.T, s catalog.Store, b catalog.Build) error {
		return s.FinishBuild(t.Context(), b.ID, worker, resultOf(outcome))
	}
}

func queueing(commit string) func(*testing.T, catalog.Store, catalog.Build) error {
	return func(t *testing.T, s catalog.Store, b catalog.Build) error {
		_, err := s.QueueBuilds(t.Context(), []catalog.NewBuild{{
			ImageID: b.ImageID, Version: b.Version, Trigger: catalog.TriggerPush, Commit: commit, UserID: b.UserID,
		}})
		return err
	}
}

const (
	gone    = catalog.State("GONE")
	pending = catalog.Pending
)

func steps() []step {
	running := func(to catalog.State) map[catalog.State]catalog.State {
		return map[catalog.State]catalog.State{catalog.Building: to}
	}
	ended := func(to catalog.State) map[catalog.State]catalog.State {
		return map[catalog.State]catalog.State{catalog.Built: to, catalog.BuildFailed: to, catalog.Failed: to}
	}
	return []step{
		{"queue the same commit", queueing(commitA), map[catalog.State]catalog.State{
			pending: pending, catalog.Building: catalog.Building, catalog.BuildFailed: pending, catalog.Failed: pending}},
		{"queue another commit", queueing(commitB), map[catalog.State]catalog.State{catalog.BuildFailed: pending, catalog.Failed: pending}},
		{"finish built", finishing(catalog.OutcomeBuilt), running(catalog.Built)},
		{"finish user_error", finishing(catalog.OutcomeUserError), running(catalog.BuildFailed)},
		{"finish infrastructure", finishing(catalog.OutcomeInfrastructure), running(catalog.Failed)},
		{"release", func(t *testing.T, s catalog.Store, b catalog.Build) error {
			return s.ReleaseBuild(t.Context(), b.ID, worker, time.Time{}, false)
		}, running(pending)},
		{"extend", func(t *testing.T, s catalog.Store, b catalog.Build) error {
			return s.ExtendLease(t.Context(), b.ID, worker, base.Add(time.Hour))
		}, running(catalog.Building)},
		{"cancel", func(t *testing.T, s catalog.Store, b catalog.Build) error {
			_, err := s.CancelBuild(t.Context(), b.ID, base)
			return err
		}, map[catalog.State]catalog.State{pending: catalog.Failed, catalog.Building: catalog.Building}},
		{"delete the version", func(t *testing.T, s catalog.Store, b catalog.Build) error {
			return s.DeleteVersion(t.Context(), b.VersionID, "")
		}, ended(gone)},
		{"delete the image", func(t *testing.T, s catalog.Store, b catalog.Build) error {
			return s.DeleteImage(t.Context(), b.ImageID)
		}, ended(gone)},
	}
}

// testStateTable does everything in every state.
func testStateTable(t *testing.T, s catalog.Store) {
	for _, from := range catalog.States() {
		for n, step := range steps() {
			name := string(from) + ", " + step.name
			i := newImage(t, s, "ann", "app"+string(rune('a'+n)))
			b := lead(t, s, i, "v1", from)
			want, allowed := step.to[from]
			code := catalog.Code("")
			if !allowed {
				want, code = from, catalog.Conflict
			}
			if err := step.do(t, s, b); catalog.CodeOf(err) != code {
				t.Errorf("%s: got %q (%v), want %q", name, catalog.CodeOf(err), err, code)
			}
			wantState(t, s, name, i, want)
			discard(t, s, i)
		}
	}
}

// wantState checks a version and its newest build, which never disagree.
func wantState(t *testing.T, s catalog.Store, name string, i catalog.Image, want catalog.State) {
	t.Helper()
	v, err := s.Version(t.Context(), i.ID, "v1")
	if want == gone {
		wantCode(t, err, catalog.NotFound)
		return
	}
	noError(t, err)
	wantEqual(t, name, v.State, want)
	newest := must(s.ListBuilds(t.Context(), v.ID, catalog.Page{Limit: 1}))(t)[0]
	wantEqual(t, name+", newest build", newest.State, want)
	wantEqual(t, name+", outcome's state", newest.Outcome == "" || newest.Outcome.State() == want, true)
	wantEqual(t, name+", ended at", newest.EndedAt.IsZero(), !want.Ended())
}

// discard ends what runs and deletes the image.
func discard(t *testing.T, s catalog.Store, i catalog.Image) {
	t.Helper()
	if _, err := s.Image(t.Context(), i.Ref); catalog.CodeOf(err) == catalog.NotFound {
		endRemovals(t, s)
		return
	}
	for {
		b, err := s.ClaimBuild(t.Context(), worker, math.MaxInt, base, base)
		if err != nil {
			wantCode(t, err, catalog.NotFound)
			break
		}
		finish(t, s, b.ID, catalog.OutcomeCancelled)
	}
	for _, v := range must(s.ListVersions(t.Context(), i.ID, catalog.VersionFilter{States: []catalog.State{catalog.Building}}))(t) {
		for _, b := range must(s.ListBuilds(t.Context(), v.ID, catalog.Page{Limit: 1}))(t) {
			finish(t, s, b.ID, catalog.OutcomeCancelled)
		}
	}
	noError(t, s.DeleteImage(t.Context(), i.ID))
	endRemovals(t, s)
}
