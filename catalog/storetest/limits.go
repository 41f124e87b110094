package storetest

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// testNamespaceLimits has a namespace run and wait with what is set for it alone.
func testNamespaceLimits(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	own, other := newImage(t, s, "ann", "app"), newImage(t, s, "bob", "app")
	wantEqual(t, "nothing is set", must(s.NamespaceLimits(ctx, "ann"))(t), catalog.NamespaceLimits{})
	_, err := s.NamespaceLimits(ctx, "nobody")
	wantCode(t, err, catalog.NotFound)
	wantCode(t, s.SetNamespaceLimits(ctx, "nobody", catalog.NamespaceLimits{}), catalog.NotFound)
	for _, bad := range []catalog.NamespaceLimits{
		{Running: -1}, {Waiting: -1}, {Build: catalog.BuildLimits{Memory: 1}}, {Build: catalog.BuildLimits{PIDs: 1}}, {Build: catalog.BuildLimits{Disk: -1}},
		{Build: catalog.BuildLimits{Log: -1}}, {Quota: catalog.Quota{Images: -2}}, {Build: catalog.BuildLimits{Timeout: -1}}, {Build: catalog.BuildLimits{CPUs: 0.001}}, {Build: catalog.BuildLimits{CPUs: math.NaN()}},
	} {
		wantCode(t, s.SetNamespaceLimits(ctx, "ann", bad), catalog.Invalid)
	}
	limits := catalog.NamespaceLimits{
		Build:   catalog.BuildLimits{CPUs: 1.5, Memory: 1 << 30, PIDs: 100, Disk: 1 << 31, Log: 1 << 20, Timeout: 90 * time.Second},
		Running: 1, Waiting: 2,
		Quota: catalog.Quota{Bytes: 1 << 40, Images: 5, Versions: 50, Builds: catalog.NoQuota},
	}
	noError(t, s.SetNamespaceLimits(ctx, "ann", limits))
	wantEqual(t, "what is set", must(s.NamespaceLimits(ctx, "ann"))(t), limits)
	wantEqual(t, "of another", must(s.NamespaceLimits(ctx, "bob"))(t), catalog.NamespaceLimits{})

	queue(t, s, own, "v0")
	queue(t, s, own, "v1")
	_, err = s.QueueBuilds(ctx, []catalog.NewBuild{asked(own, "v2", commitA)})
	wantCode(t, err, catalog.Forbidden)
	queue(t, s, other, "v0")
	claim := func() (catalog.Build, error) {
		return s.ClaimBuild(ctx, worker, math.MaxInt, base, base.Add(time.Minute))
	}
	running := must(claim())(t)
	wantEqual(t, "the first", running.Image.Namespace, "ann")
	wantEqual(t, "the next is another's", must(claim())(t).Image.Namespace, "bob")
	_, err = claim()
	wantCode(t, err, catalog.NotFound)
	finish(t, s, running.ID, catalog.OutcomeBuilt)
	wantEqual(t, "then", must(claim())(t).Version, "v1")
}

// testQueuePlace says in which order builds start.
func testQueuePlace(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	images := map[string]catalog.Image{"ann": newImage(t, s, "ann", "app"), "bob": newImage(t, s, "bob", "app")}
	ids := map[string]int64{}
	for n, namespace := range []string{"ann", "ann", "ann", "bob"} {
		ids[fmt.Sprintf("%s v%d", namespace, n)] = queue(t, s, images[namespace], fmt.Sprintf("v%d", n)).ID
	}
	for build, want := range map[string]int{"ann v0": 1, "bob v3": 2, "ann v1": 3, "ann v2": 4} {
		place := must(s.QueuePlace(ctx, ids[build]))(t)
		wantEqual(t, build, place.Place, want)
		wantEqual(t, "waiting", place.Waiting, 4)
	}
	noError(t, s.SetNamespaceLimits(ctx, "ann", catalog.NamespaceLimits{Running: 1}))
	_ = must(s.ClaimBuild(ctx, worker, math.MaxInt, base, base.Add(time.Minute)))(t)
	waiting := must(s.WaitingBuilds(ctx, 2))(t)
	if len(waiting) != 2 || waiting[0].ID != ids["ann v1"] || waiting[1].ID != ids["ann v2"] {
		t.Errorf("the oldest that wait are %v", waiting)
	}
	_, err := s.QueuePlace(ctx, ids["ann v0"])
	wantCode(t, err, catalog.NotFound)
	place := must(s.QueuePlace(ctx, ids["ann v1"]))(t)
	wantEqual(t, "behind the other namespace", place, catalog.QueuePlace{Place: 2, Waiting: 3, Running: 1, OfNamespace: 1, MostOfNamespace: 1})
	if !place.NamespaceIsFull() {
		t.Error("the namespace runs as many as it may")
	}
}

// testPauseQueue has nothing start while the queue is paused, and lists what runs and waits.
func testPauseQueue(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	ann, bob := newImage(t, s, "ann", "app"), newImage(t, s, "bob", "app")
	first := queue(t, s, ann, "v0")
	running := claim(t, s)
	wantEqual(t, "it runs", running.ID, first.ID)
	wantEqual(t, "not paused", must(s.ResumeQueue(ctx))(t), catalog.QueuePause{})

	for _, bad := range []string{"two\nlines", strings.Repeat("x", catalog.MaxPauseReason+1), "\xff"} {
		_, err := s.PauseQueue(ctx, "ann", bad)
		wantCode(t, err, catalog.Invalid)
	}
	paused := must(s.PauseQueue(ctx, "ann", "new disk"))(t)
	if !paused.Paused() || paused.By != "ann" || paused.Reason != "new disk" {
		t.Errorf("got %+v", paused)
	}
	for _, version := range []string{"v1", "v2"} {
		queue(t, s, ann, version)
	}
	waits := queue(t, s, bob, "v1")
	_, err := s.ClaimBuild(ctx, worker, math.MaxInt, base, base.Add(time.Minute))
	wantCode(t, err, catalog.NotFound)
	_, ok, err := s.NextWake(ctx)
	noError(t, err)
	wantEqual(t, "something may be claimed", ok, false)
	wantEqual(t, "its place tells", must(s.QueuePlace(ctx, waits.ID))(t).Pause, paused)
	wantEqual(t, "the pause", must(s.QueuePause(ctx))(t), paused)

	var list []string
	for _, e := range must(s.ListQueue(ctx, 0, 100))(t) {
		list = append(list, fmt.Sprintf("%d %s:%s %s %s", e.Place, e.Image, e.Version, e.State, e.User))
	}
	wantEqual(t, "the queue", strings.Join(list, ", "), "0 ann/app:v0 BUILDING ann, 1 bob/app:v1 PENDING bob, 2 ann/app:v1 PENDING ann, 3 ann/app:v2 PENDING ann")
	wantEqual(t, "two of it", len(must(s.ListQueue(ctx, 0, 2))(t)), 2)

	again := must(s.PauseQueue(ctx, "bob", ""))(t)
	wantEqual(t, "who and why are replaced", again, catalog.QueuePause{By: "bob", Since: paused.Since})
	noError(t, s.ReleaseBuild(ctx, running.ID, worker, base, true))
	_, err = s.ClaimBuild(ctx, worker, math.MaxInt, base, base.Add(time.Minute))
	wantCode(t, err, catalog.NotFound)
	wantEqual(t, "what ends", must(s.ResumeQueue(ctx))(t), again)
	wantEqual(t, "resumed", must(s.QueuePause(ctx))(t), catalog.QueuePause{})
	_ = claim(t, s)
}
