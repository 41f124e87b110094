package builder_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// What is built again is asked for as it was, but apart, from given bases and under a name of its own; nothing of it is recorded.
func TestBuildAgain(t *testing.T) {
	e := newEnv(t)
	image := e.image("ann", "app")
	var asked []builder.SolveRequest
	failing := error(nil)
	b := e.builder(func(_ context.Context, r builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
		asked = append(asked, r)
		progress(builder.Event{Line: "#1 a step"})
		return builder.SolveResult{Digest: digest}, failing
	})
	e.run(b)
	n := e.newBuild(image, "v1", commitA)
	n.Options = catalog.BuildOptions{Args: map[string]string{"A": "1"}, Test: "check"}
	build := e.submit(b, n)[0].Build
	e.follow(b, build.ID)
	_, version := e.recorded(build.ID)

	made := catalog.BuildFacts{Options: catalog.BuildOptions{Labels: catalog.LabelsNone, Target: "other"}, Bases: []catalog.BaseImage{{Ref: "docker.io/library/alpine:3", Digest: digest}}}
	var said []string
	again := func() (string, error) {
		said = nil
		return b.BuildAgain(t.Context(), image, version, made, func(line string) { said = append(said, line) })
	}
	got, err := again()
	if err != nil || got != digest {
		t.Fatalf("got %s, %v", got, err)
	}
	testkit.Same(t, "what is said", said, []string{"Building ann/app:v1 again from commit aaaaaaa, without caches", "#1 a step"})
	r := asked[1]
	testkit.Same(t, "options", r.Options, catalog.BuildOptions{NoCache: true, Args: map[string]string{"A": "1"}, Labels: catalog.LabelsNone})
	if !r.Apart || r.Earlier != nil || r.Build.Version != "v1" || !strings.HasSuffix(r.Destination, "/ann/app:"+catalog.RebuildTag(digest)) {
		t.Errorf("asked for %+v", r)
	}
	testkit.Same(t, "bases", r.Pinned, made.Bases)
	if len(e.credentials.alive) != 0 {
		t.Errorf("%d credentials are in force", len(e.credentials.alive))
	}

	failing = &builder.SolveError{Outcome: catalog.OutcomeUserError, Message: "the step failed", Detail: []string{"Dockerfile:2"}}
	if _, err := again(); catalog.CodeOf(err) != catalog.Invalid || !strings.Contains(catalog.MessageOf(err), `version "v1" can't be built again: the step failed`) {
		t.Errorf("got %v", err)
	}
	testkit.Same(t, "what is said of the failure", said[len(said)-1], "Dockerfile:2")
	failing = &builder.SolveError{Outcome: catalog.OutcomeInfrastructure, Message: "BuildKit is gone"}
	if _, err := again(); catalog.CodeOf(err) != catalog.Unavailable {
		t.Errorf("got %v", err)
	}
	given, cancel := context.WithCancel(t.Context())
	failing = context.Canceled
	leave := func(line string) {
		if line == "#1 a step" {
			cancel()
		}
	}
	if _, err := b.BuildAgain(given, image, version, made, leave); !errors.Is(err, context.Canceled) || catalog.CodeOf(err) == catalog.Unavailable {
		t.Errorf("after the client went away: got %v", err)
	}
	if _, after := e.recorded(build.ID); after != version {
		t.Errorf("the version is %+v, was %+v", after, version)
	}
	builds, err := e.store.ListBuilds(t.Context(), version.ID, catalog.Page{})
	if err != nil || len(builds) != 1 {
		t.Errorf("there are %d builds, %v", len(builds), err)
	}

	failing = nil
	made.Secrets = []string{"TOKEN"}
	if _, err := again(); catalog.CodeOf(err) != catalog.Invalid || !strings.Contains(catalog.MessageOf(err), "secret TOKEN, which its steps could ask for, is not set any more") {
		t.Errorf("without a secret: %v", err)
	}
	made.Secrets = nil
	// What the image does not take any more might have been written to learn secrets.
	on := true
	if _, err := e.store.UpdateImage(t.Context(), image.ID, catalog.ImageUpdate{SignedTags: &on}); err != nil {
		t.Fatal(err)
	}
	if _, err := again(); catalog.CodeOf(err) != catalog.Invalid || !strings.Contains(catalog.MessageOf(err), "takes only tags that a member has signed") {
		t.Errorf("of a tag that is not signed: %v", err)
	}

	if _, err := e.store.PauseQueue(t.Context(), "boss", "new disk"); err != nil {
		t.Fatal(err)
	}
	if _, err := again(); catalog.CodeOf(err) != catalog.Unavailable || !strings.Contains(catalog.MessageOf(err), "the queue is paused by boss") {
		t.Errorf("while the queue is paused: %v", err)
	}
	version.Commit = ""
	if _, err := again(); catalog.CodeOf(err) != catalog.Conflict {
		t.Errorf("of a pushed image: %v", err)
	}
}

// A shutdown stops what is built again, as it does builds.
func TestBuildAgainEndsWithTheServer(t *testing.T) {
	e := newEnv(t)
	image := e.image("ann", "app")
	started := make(chan int64, 1)
	b := e.builder(func(ctx context.Context, r builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
		if !r.Apart {
			return built(ctx, r, progress)
		}
		return blocking(started)(ctx, r, progress)
	})
	stop := e.run(b)
	id := e.submit(b, e.newBuild(image, "v1", commitA))[0].ID
	e.follow(b, id)
	_, version := e.recorded(id)
	ended := make(chan error, 1)
	go func() {
		_, err := b.BuildAgain(t.Context(), image, version, catalog.BuildFacts{}, func(string) {})
		ended <- err
	}()
	receive(t, started)
	stop()
	if err := receive(t, ended); catalog.CodeOf(err) != catalog.Unavailable || !strings.Contains(err.Error(), "shutting down") {
		t.Errorf("got %v", err)
	}
}
