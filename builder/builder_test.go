package builder_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

func TestBuildEndsBuilt(t *testing.T) {
	h := newEnv(t)
	h.sources.trees[commitA][".fandogh/config.yml"] = &fstest.MapFile{Data: []byte("name: app\nbuild:\n  target: base\n  args: {A: repo, B: repo}\n")}
	image := h.image("alice", "App")
	began := time.Now()
	var request builder.SolveRequest
	b := h.builder(func(_ context.Context, r builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
		request = r
		if grant, ok := h.credentials.grant(r.Credential.Username); !ok || grant.Version != "v1" || grant.Image != image.Ref {
			t.Errorf("credential in force = %v %v", grant, ok)
		}
		platforms := map[string]string{"d2": "linux/arm64", "d3": "linux/arm64", "d1": "linux/amd64"}
		step := func(digest, name string, from, took time.Duration, cached bool) {
			s := catalog.Step{Digest: digest, Name: name, StartedAt: began.Add(from), Platform: platforms[digest]}
			progress(builder.Event{Time: began.Add(from), Step: &s, Line: "start " + name})
			s.EndedAt, s.Cached = s.StartedAt.Add(took), cached
			progress(builder.Event{Step: &s})
		}
		step("d2", "RUN slow", 2*time.Second, 9*time.Second, false)
		step("d1", "FROM base", time.Second, time.Second, true)
		step("d3", "RUN quick", 3*time.Second, time.Second, false)
		return builder.SolveResult{Digest: digest, Size: 12_400_000}, nil
	})
	h.run(b)
	new := h.newBuild(image, "v1", commitA)
	new.Options = catalog.BuildOptions{Args: map[string]string{"A": "push"}}
	id := h.submit(b, new)[0].ID
	build, lines := h.follow(b, id)
	if build.State != catalog.Built || build.Outcome != catalog.OutcomeBuilt || build.EndedAt.IsZero() {
		t.Errorf("ended build = %+v", build)
	}
	wantLog(t, lines, "Building alice/App:v1 from commit aaaaaaa (push)", "start RUN slow",
		"Built alice/App:v1 in ", "registry.example/alice/app:v1", digest, "12.4MB",
		"  platform    0.0s  linux/amd64", "              9.0s  linux/arm64", "cached   1 of 3 steps",
		"slowest     9.0s  RUN slow", "1.0s  RUN quick", "docker pull registry.example/alice/app:v1")
	if request.Destination != "127.0.0.1:5000/alice/app:v1" {
		t.Errorf("destination = %s", request.Destination)
	}
	testkit.Same(t, "options", request.Options, catalog.BuildOptions{Target: "base", Args: map[string]string{"A": "push", "B": "repo"}})
	if _, alive := h.credentials.grant(request.Credential.Username); alive {
		t.Error("the credential outlived the build")
	}
	recorded, version := h.recorded(id)
	if recorded.State != catalog.Built || version.State != catalog.Built || version.Digest != digest || version.Size != 12_400_000 {
		t.Errorf("recorded %+v, %+v", recorded, version)
	}
	steps, err := h.store.Steps(t.Context(), id)
	if err != nil || len(steps) != 3 || steps[0].Name != "FROM base" || !steps[0].Cached || steps[1].EndedAt.IsZero() {
		t.Errorf("steps = %+v, %v", steps, err)
	}
	if !h.sources.hasTag(image.Ref, "v1") {
		t.Error("the tag of a built version is gone")
	}
}

func TestBuildsThatFail(t *testing.T) {
	ours := &builder.SolveError{Outcome: catalog.OutcomeInfrastructure, Message: "BuildKit went away"}
	for _, c := range []struct {
		name    string
		solve   error
		panics  bool
		file    string
		outcome catalog.Outcome
		state   catalog.State
		solves  int
		log     []string
	}{
		{name: "user error", solve: &builder.SolveError{Outcome: catalog.OutcomeUserError, Message: "RUN false exited with 1", Detail: []string{"   3 | >>> RUN false"}},
			outcome: catalog.OutcomeUserError, state: catalog.BuildFailed, solves: 1,
			log: []string{"   3 | >>> RUN false", "alice/app:v1 was not built (user error): RUN false exited with 1", "git tag -f v1"}},
		{name: "out of memory", solve: &builder.SolveError{Outcome: catalog.OutcomeOutOfMemory, Message: "killed"},
			outcome: catalog.OutcomeOutOfMemory, state: catalog.Failed, solves: 1, log: []string{"not built (out of memory): killed"}},
		{name: "lost BuildKit", solve: ours, outcome: catalog.OutcomeInfrastructure, state: catalog.Failed, solves: 3,
			log: []string{"not your build's fault: BuildKit went away. Trying again in ", "attempt 2 of 3", "attempt 3 of 3", "not built (infrastructure): BuildKit went away"}},
		{name: "unknown error", solve: errors.New("secret cause"), outcome: catalog.OutcomeInfrastructure, state: catalog.Failed, solves: 3,
			log: []string{"because of a server error"}},
		{name: "a fault of ours", panics: true, outcome: catalog.OutcomeInfrastructure, state: catalog.Failed, solves: 3,
			log: []string{"because of a server error"}},
		{name: "unknown key", file: ".fandogh/config.yml", outcome: catalog.OutcomeUserError, state: catalog.BuildFailed,
			log: []string{`unknown key "stage" under build; the keys are: args,`}},
		{name: "submodule", file: ".gitmodules", outcome: catalog.OutcomeUserError, state: catalog.BuildFailed, log: []string{"vendor/lib is a submodule"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newEnv(t)
			if c.file != "" {
				h.sources.trees[commitA][c.file] = &fstest.MapFile{Data: []byte("build:\n  stage: x\n")}
			}
			image := h.image("alice", "app")
			solves := 0
			b := h.builder(func(context.Context, builder.SolveRequest, func(builder.Event)) (builder.SolveResult, error) {
				solves++
				if c.panics {
					panic("one build must not end the others")
				}
				return builder.SolveResult{}, c.solve
			})
			h.run(b)
			id := h.submit(b, h.newBuild(image, "v1", commitA))[0].ID
			build, lines := h.follow(b, id)
			if h.sources.hasTag(image.Ref, "v1") || !h.sources.kept[commitA] {
				t.Error("a follower was told the end before the tag was withdrawn and its commit kept")
			}
			recorded, version := h.recorded(id)
			if build.Outcome != c.outcome || recorded.Outcome != c.outcome || recorded.State != c.state || version.State != c.state || recorded.Message == "" {
				t.Errorf("ended %+v\nrecorded %+v\n%+v", build, recorded, version)
			}
			if solves != c.solves {
				t.Errorf("%d solves, want %d", solves, c.solves)
			}
			wantLog(t, lines, c.log...)
			if strings.Contains(strings.Join(lines, "\n")+recorded.Message, "secret cause") {
				t.Error("the user sees an internal cause")
			}
		})
	}
}

func TestLostBuildKitIsTriedAgain(t *testing.T) {
	h := newEnv(t)
	image := h.image("alice", "app")
	solves := 0
	b := h.builder(func(_ context.Context, r builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
		solves++
		step := catalog.Step{Digest: "d", Name: "RUN it", StartedAt: time.Now(), EndedAt: time.Now(), Error: "lost"}
		if solves == 3 {
			step.Error = ""
		}
		progress(builder.Event{Step: &step})
		if solves < 3 {
			return builder.SolveResult{}, &builder.SolveError{Outcome: catalog.OutcomeInfrastructure, Message: "BuildKit went away"}
		}
		return built(t.Context(), r, progress)
	})
	h.run(b)
	id := h.submit(b, h.newBuild(image, "v1", commitA))[0].ID
	build, lines := h.follow(b, id)
	wantLog(t, lines, "Building", "Trying again", "attempt 2 of 3", "Trying again", "attempt 3 of 3", "Built alice/app:v1")
	steps, err := h.store.Steps(t.Context(), id)
	if build.State != catalog.Built || err != nil || len(steps) != 1 || steps[0].Error != "" {
		t.Errorf("build %+v, steps %+v, %v", build, steps, err)
	}
}

func TestTimeout(t *testing.T) {
	h := newEnv(t)
	b := h.builder(blocking(make(chan int64, 1)), func(c *builder.Config) { c.Timeout = 20 * time.Millisecond })
	h.run(b)
	id := h.submit(b, h.newBuild(h.image("alice", "app"), "v1", commitA))[0].ID
	build, lines := h.follow(b, id)
	if build.Outcome != catalog.OutcomeTimeout || build.State != catalog.Failed {
		t.Errorf("ended %+v", build)
	}
	wantLog(t, lines, "not built (timeout): the build took longer than")
}

func TestCancel(t *testing.T) {
	h := newEnv(t)
	image := h.image("alice", "app")
	started := make(chan int64, 2)
	b := h.builder(blocking(started), func(c *builder.Config) { c.Parallel = 1 })
	h.run(b)
	queued := h.submit(b, h.newBuild(image, "v1", commitA), h.newBuild(image, "v2", commitA))
	running, waiting := queued[0].ID, queued[1].ID
	receive(t, started)

	if err := b.Cancel(t.Context(), waiting); err != nil {
		t.Fatal(err)
	}
	build, lines := h.follow(b, waiting)
	wantLog(t, lines, " in the queue; the server runs at most 1 build at once; this one starts when its turn comes", "v2 was not built (cancelled)")
	if build.Outcome != catalog.OutcomeCancelled || h.sources.hasTag(image.Ref, "v2") {
		t.Errorf("waiting build ended %+v", build)
	}

	if err := b.Cancel(t.Context(), running); err != nil {
		t.Fatal(err)
	}
	build, lines = h.follow(b, running)
	if build.Outcome != catalog.OutcomeCancelled {
		t.Errorf("running build ended %+v", build)
	}
	wantLog(t, lines, "not built (cancelled)")
	if h.sources.hasTag(image.Ref, "v1") {
		t.Error("the cancelled version's tag is still there")
	}
	if err := b.Cancel(t.Context(), running); catalog.CodeOf(err) != catalog.Conflict {
		t.Errorf("cancel of an ended build: %v", err)
	}
	if err := b.Cancel(t.Context(), 999); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("cancel of no build: %v", err)
	}
}

func TestShutdownHandsBack(t *testing.T) {
	h := newEnv(t)
	image := h.image("alice", "app")
	started := make(chan int64, 1)
	first := h.builder(blocking(started), func(c *builder.Config) { c.Parallel = 1 })
	stop := h.run(first)
	queued := h.submit(first, h.newBuild(image, "v1", commitA), h.newBuild(image, "v2", commitA))
	receive(t, started)
	var followers sync.WaitGroup
	for _, q := range queued {
		followers.Go(func() {
			_, lines, err := follow(t.Context(), first, q.ID)
			if catalog.CodeOf(err) != catalog.Unavailable {
				t.Errorf("follower of %s at shutdown: %v", q.Version, err)
			}
			if q.Version == "v1" {
				wantLog(t, lines, "The server is shutting down")
			}
		})
	}
	stop()
	followers.Wait()
	for _, q := range queued {
		build, version := h.recorded(q.ID)
		if build.State != catalog.Pending || build.Attempts != 0 || version.State != catalog.Pending {
			t.Errorf("handed back as %+v, %+v", build, version)
		}
	}
	if !h.sources.hasTag(image.Ref, "v1") {
		t.Error("a build that goes on lost its tag")
	}

	second := h.builder(built)
	h.run(second)
	build, lines := h.follow(second, queued[0].ID)
	if build.State != catalog.Built {
		t.Errorf("after the restart: %+v", build)
	}
	wantLog(t, lines, "Building", "shutting down", "Building", "Built alice/app:v1")
	h.follow(second, queued[1].ID)
}

func TestDeadWorkersBuildsGoOn(t *testing.T) {
	for _, c := range []struct {
		name    string
		deaths  int
		outcome catalog.Outcome
	}{
		{"once", 1, catalog.OutcomeBuilt},
		{"often", 4, catalog.OutcomeBuilt},
		{"too often", 5, catalog.OutcomeInfrastructure},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newEnv(t)
			queued, err := h.store.QueueBuilds(t.Context(), []catalog.NewBuild{h.newBuild(h.image("alice", "app"), "v1", commitA)})
			if err != nil {
				t.Fatal(err)
			}
			for range c.deaths {
				if _, err := h.store.ReclaimBuilds(t.Context(), "next", time.Now()); err != nil {
					t.Fatal(err)
				}
				if _, err := h.store.ClaimBuild(t.Context(), "dead", math.MaxInt, time.Now(), time.Now().Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
			b := h.builder(built)
			h.run(b)
			if build, _ := h.follow(b, queued[0].ID); build.Outcome != c.outcome {
				t.Errorf("ended %+v", build)
			}
		})
	}
}

func TestLostLeaseDropsTheWork(t *testing.T) {
	h := newEnv(t)
	started := make(chan int64, 2)
	solves := 0
	b := h.builder(func(ctx context.Context, r builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
		if solves++; solves == 1 {
			return blocking(started)(ctx, r, progress)
		}
		return built(ctx, r, progress)
	}, func(c *builder.Config) { c.LeaseTime = 300 * time.Millisecond })
	h.run(b)
	id := h.submit(b, h.newBuild(h.image("alice", "app"), "v1", commitA))[0].ID
	receive(t, started)
	if n, err := h.store.ReclaimBuilds(t.Context(), "another", time.Now()); n != 1 || err != nil {
		t.Fatalf("reclaimed %d, %v", n, err)
	}
	build, lines := h.follow(b, id)
	if build.State != catalog.Built || solves != 2 {
		t.Errorf("%d solves, ended %+v", solves, build)
	}
	wantLog(t, lines, "lost track", "Building alice/app:v1 from commit aaaaaaa (push), again", "Built")
}

// prolongedStore tells of each lease that was prolonged.
type prolongedStore struct {
	builder.Store
	prolonged func()
}

func (s prolongedStore) ExtendLease(ctx context.Context, id int64, workerID string, until time.Time) error {
	err := s.Store.ExtendLease(ctx, id, workerID, until)
	if err == nil {
		s.prolonged()
	}
	return err
}

func TestLeaseOutlivesItsTime(t *testing.T) {
	h := newEnv(t)
	const lease = 200 * time.Millisecond
	began := time.Now()
	var passed atomic.Int64 // on the builder's clock, which goes on as the lease is prolonged
	now := func() time.Time { return began.Add(time.Duration(passed.Load())) }
	prolonged := make(chan bool, 3)
	var worker string
	b := h.builder(func(ctx context.Context, r builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
		for range cap(prolonged) { // twice the lease's time
			select {
			case <-prolonged:
			case <-ctx.Done():
				return builder.SolveResult{}, ctx.Err()
			case <-time.After(time.Minute):
				return builder.SolveResult{}, errors.New("the lease is not prolonged")
			}
			if n, err := h.store.ReclaimBuilds(ctx, worker, now()); n != 0 || err != nil {
				t.Errorf("%d builds lost their lease, %v", n, err)
			}
		}
		return built(ctx, r, progress)
	}, func(c *builder.Config) {
		c.Store = prolongedStore{h.store, func() {
			passed.Add(int64(lease) * 2 / 3)
			select {
			case prolonged <- true:
			default: // the build has seen enough
			}
		}}
		c.LeaseTime, c.MaxAttempts, c.Now = lease, 1, now
		worker = c.WorkerID
	})
	h.run(b)
	id := h.submit(b, h.newBuild(h.image("alice", "app"), "v1", commitA))[0].ID
	if build, _ := h.follow(b, id); build.State != catalog.Built || build.Attempts != 1 {
		t.Errorf("a build longer than its lease ended %+v", build)
	}
}

func TestSameCommitAttachesOtherConflicts(t *testing.T) {
	h := newEnv(t)
	image := h.image("alice", "app")
	started := make(chan int64, 1)
	b := h.builder(blocking(started))
	h.run(b)
	first := h.submit(b, h.newBuild(image, "v1", commitA))[0]
	receive(t, started)
	again := h.submit(b, h.newBuild(image, "v1", commitA))[0]
	if !again.Attached || again.ID != first.ID {
		t.Errorf("second submit = %+v", again)
	}
	if _, err := b.Submit(t.Context(), []catalog.NewBuild{h.newBuild(image, "v1", commitB)}); catalog.CodeOf(err) != catalog.Conflict {
		t.Errorf("submit of another commit: %v", err)
	}
	if _, err := b.Rebuild(t.Context(), image.ID, "v1", image.OwnerID, nil); catalog.CodeOf(err) != catalog.Conflict {
		t.Errorf("rebuild while building: %v", err)
	}
}

func TestNamespacesTakeTurns(t *testing.T) {
	h := newEnv(t)
	alice, bob := h.image("alice", "app"), h.image("bob", "app")
	started, release := make(chan int64, 4), make(chan struct{})
	b := h.builder(func(_ context.Context, r builder.SolveRequest, _ func(builder.Event)) (builder.SolveResult, error) {
		started <- r.Build.ID
		<-release
		return builder.SolveResult{Digest: digest}, nil
	}, func(c *builder.Config) { c.Parallel = 2 })
	queued := h.submit(b, h.newBuild(alice, "v1", commitA), h.newBuild(alice, "v2", commitA), h.newBuild(alice, "v3", commitA), h.newBuild(bob, "v1", commitA))
	h.run(b)
	first := []int64{receive(t, started), receive(t, started)}
	slices.Sort(first)
	if want := []int64{queued[0].ID, queued[3].ID}; !slices.Equal(first, want) {
		t.Errorf("began with builds %v, want one of each namespace: %v", first, want)
	}
	close(release)
	for _, q := range queued {
		h.follow(b, q.ID)
	}
}

// Who fills all slots leaves the spare ones to the others, and says nothing of waiting to them.
func TestSparePlacesAreForOthers(t *testing.T) {
	h := newEnv(t)
	alice, bob := h.image("alice", "app"), h.image("bob", "app")
	started := make(chan int64, 8)
	b := h.builder(blocking(started), func(c *builder.Config) { c.Parallel, c.Spare = 1, 1 })
	h.run(b)
	hers := h.submit(b, h.newBuild(alice, "v1", commitA), h.newBuild(alice, "v2", commitA))
	if got := receive(t, started); got != hers[0].ID {
		t.Fatalf("build %d began first, want %d", got, hers[0].ID)
	}
	his := h.submit(b, h.newBuild(bob, "v1", commitA), h.newBuild(bob, "v2", commitA))
	if got := receive(t, started); got != his[0].ID {
		t.Fatalf("build %d began in the spare slot, want %d", got, his[0].ID)
	}
	if err := b.Cancel(t.Context(), his[0].ID); err != nil {
		t.Fatal(err)
	}
	_, lines := h.follow(b, his[0].ID)
	if text := strings.Join(lines, "\n"); strings.Contains(text, "Queued") {
		t.Errorf("a build that need not wait is told to:\n%s", text)
	}
	if got := receive(t, started); got != his[1].ID {
		t.Errorf("build %d began next in the spare slot, want %d", got, his[1].ID)
	}
}

func TestRebuild(t *testing.T) {
	h := newEnv(t)
	image := h.image("alice", "app")
	fails := 2
	var options catalog.BuildOptions
	b := h.builder(func(ctx context.Context, r builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
		if options = r.Options; fails > 0 {
			fails--
			return builder.SolveResult{}, &builder.SolveError{Outcome: catalog.OutcomeUserError, Message: "no"}
		}
		return built(ctx, r, progress)
	})
	h.run(b)
	new := h.newBuild(image, "v1", commitA)
	new.Options.Target = "tiny"
	h.sources.tag(image.Ref, "v1", commitA)
	first := h.submit(b, new)[0]
	h.follow(b, first.ID)
	if h.sources.hasTag(image.Ref, "v1") {
		t.Error("the failed version kept its tag")
	}
	if _, err := b.Rebuild(t.Context(), image.ID, "v1", image.OwnerID, []string{"no-cache", "detach"}); catalog.CodeOf(err) != catalog.Invalid {
		t.Errorf("rebuild with options of a push: %v", err)
	}
	for at, c := range []struct {
		changes []string
		want    catalog.BuildOptions
	}{
		{nil, catalog.BuildOptions{Target: "tiny"}},
		{[]string{"no-cache", "target=", "build-arg=A=1"}, catalog.BuildOptions{NoCache: true, Args: map[string]string{"A": "1"}}},
	} {
		again, err := b.Rebuild(t.Context(), image.ID, "v1", image.OwnerID, c.changes)
		if err != nil {
			t.Fatal(err)
		}
		build, _ := h.follow(b, again.ID)
		if build.Number != at+2 || build.Commit != commitA || build.Trigger != catalog.TriggerRebuild || !reflect.DeepEqual(options, c.want) || !reflect.DeepEqual(build.Options, c.want) {
			t.Errorf("rebuilt %+v with %+v, want %+v", build, options, c.want)
		}
	}
	if !h.sources.hasTag(image.Ref, "v1") {
		t.Error("the rebuilt version has no tag")
	}
	if _, err := b.Rebuild(t.Context(), image.ID, "v1", image.OwnerID, []string{"no-cache"}); catalog.CodeOf(err) != catalog.Conflict {
		t.Errorf("rebuild of a built version: %v", err)
	}
	if _, err := b.Rebuild(t.Context(), image.ID, "v9", image.OwnerID, nil); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("rebuild of no version: %v", err)
	}
}

// A build is told of the built versions of its image alone, and of none where it is to be built.
func TestEarlierVersions(t *testing.T) {
	h := newEnv(t)
	var found []string
	b := h.builder(func(ctx context.Context, r builder.SolveRequest, _ func(builder.Event)) (builder.SolveResult, error) {
		result := builder.SolveResult{Digest: digest, Recipe: "recipe"}
		if r.Earlier == nil {
			found = append(found, "not asked")
		} else if earlier, err := r.Earlier(ctx, "recipe"); err == nil {
			found = append(found, earlier.Name)
			result.SameAs = earlier.Name
		} else {
			found = append(found, string(catalog.CodeOf(err)))
		}
		return result, nil
	})
	h.run(b)
	app, other := h.image("alice", "app"), h.image("alice", "other")
	var lines []string
	build := func(image catalog.Image, version string, options catalog.BuildOptions) {
		new := h.newBuild(image, version, commitA)
		new.Options = options
		_, lines = h.follow(b, h.submit(b, new)[0].ID)
	}
	build(other, "v1", catalog.BuildOptions{})
	build(app, "v1", catalog.BuildOptions{})
	build(app, "v2", catalog.BuildOptions{})
	wantLog(t, lines, "the same as in version v1", "Built alice/app:v2 in ")
	if strings.Contains(strings.Join(lines, "\n"), "cached") {
		t.Errorf("the log tells of steps: %q", lines)
	}
	build(app, "v3", catalog.BuildOptions{NoCache: true})
	build(app, "v4", catalog.BuildOptions{})
	testkit.Same(t, "what was found", found, []string{"not_found", "not_found", "v1", "not asked", "v3"})
}
