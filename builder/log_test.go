package builder_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// printing solves print n numbered lines, each after gate let it.
func printing(n int, gate func(int)) solverFunc {
	return func(_ context.Context, _ builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
		for i := range n {
			if gate != nil {
				gate(i)
			}
			progress(builder.Event{Time: time.Now(), Line: fmt.Sprintf("line %d", i)})
		}
		return builder.SolveResult{Digest: digest}, nil
	}
}

func TestFollowersGetEveryLineOnceInOrder(t *testing.T) {
	const followers, lines = 1000, 2000
	h := newEnv(t)
	ready := make(chan struct{})
	var all sync.WaitGroup
	b := h.builder(printing(lines, func(i int) {
		if i == lines/2 {
			<-ready // the other half of the followers comes in the middle
		}
	}))
	h.run(b)
	id := h.submit(b, h.newBuild(h.image("alice", "app"), "v1", commitA))[0].ID
	follower := func() {
		next := 0
		build, err := b.FollowLog(t.Context(), id, 0, func(batch []catalog.LogLine) error {
			for _, line := range batch {
				if strings.HasPrefix(line.Text, "line ") {
					if line.Text != fmt.Sprintf("line %d", next) {
						return fmt.Errorf("got %q, want line %d", line.Text, next)
					}
					next++
				}
			}
			return nil
		})
		if err != nil || build.State != catalog.Built || next != lines {
			t.Errorf("follower got %d lines, %v, %v", next, build.State, err)
		}
	}
	for range followers / 2 {
		all.Go(follower)
	}
	for range followers / 2 {
		all.Go(follower)
	}
	close(ready)
	all.Wait()
}

func TestFollowShowsLinesWhileTheBuildRuns(t *testing.T) {
	h := newEnv(t)
	seen := make(chan string, 100)
	b := h.builder(printing(3, func(i int) {
		if i == 0 {
			return
		}
		for want := fmt.Sprintf("line %d", i-1); receive(t, seen) != want; {
		}
	}))
	h.run(b)
	id := h.submit(b, h.newBuild(h.image("alice", "app"), "v1", commitA))[0].ID
	if _, err := b.FollowLog(t.Context(), id, 1, func(lines []catalog.LogLine) error {
		for _, line := range lines {
			seen <- line.Text
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestFollowStopsWithItsReader(t *testing.T) {
	h := newEnv(t)
	started := make(chan int64, 1)
	b := h.builder(blocking(started))
	h.run(b)
	id := h.submit(b, h.newBuild(h.image("alice", "app"), "v1", commitA))[0].ID
	receive(t, started)
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := b.FollowLog(ctx, id, 0, func([]catalog.LogLine) error { cancel(); return nil }); err == nil {
		t.Error("no error from a follower whose context ended")
	}
	broken := fmt.Errorf("broken pipe")
	if _, err := b.FollowLog(t.Context(), id, 0, func([]catalog.LogLine) error { return broken }); err != broken { //nolint:errorlint // it must come back as it is
		t.Errorf("follower whose emit failed: %v", err)
	}
	if _, err := b.FollowLog(t.Context(), 999, 0, nil); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("follow no build: %v", err)
	}
}

func TestReadLogPages(t *testing.T) {
	const lines = 5000
	h := newEnv(t)
	b := h.builder(printing(lines, nil))
	stop := h.run(b)
	id := h.submit(b, h.newBuild(h.image("alice", "app"), "v1", commitA))[0].ID
	_, all := h.follow(b, id)
	stop()
	later := h.builder(built) // a process that did not write the log
	for name, reader := range map[string]*builder.Builder{"writer": b, "later process": later} {
		for _, c := range []struct{ skip, limit int }{{0, 0}, {0, 1}, {1, 3}, {255, 2}, {256, 2}, {257, 600}, {4999, 100}, {len(all), 0}, {99999, 5}} {
			got, err := reader.ReadLog(t.Context(), id, c.skip, c.limit)
			if err != nil {
				t.Fatal(err)
			}
			want := all[min(c.skip, len(all)):]
			if c.limit > 0 {
				want = want[:min(c.limit, len(want))]
			}
			if len(got) != len(want) {
				t.Fatalf("%s: skip %d limit %d: %d lines, want %d", name, c.skip, c.limit, len(got), len(want))
			}
			for i := range got {
				if got[i].Text != want[i] || i > 0 && got[i].Offset < got[i-1].Offset {
					t.Fatalf("%s: skip %d limit %d: line %d = %v, want %q", name, c.skip, c.limit, i, got[i], want[i])
				}
			}
		}
	}
	if got, err := later.ReadLog(t.Context(), 999, 0, 0); err != nil || len(got) != 0 {
		t.Errorf("log of a build without one: %v, %v", got, err)
	}
}

// A log that was removed for its age is not taken for an empty one.
func TestLogThatWasRemoved(t *testing.T) {
	h := newEnv(t)
	b := h.builder(built)
	stop := h.run(b)
	id := h.submit(b, h.newBuild(h.image("alice", "app"), "v1", commitA))[0].ID
	h.follow(b, id)
	stop()
	file := filepath.Join(h.logs, fmt.Sprintf("%d.log", id))
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if freed, err := b.RemoveLogs([]int64{id, 999}); err != nil || freed != info.Size() {
		t.Errorf("freed %d bytes of %d: %v", freed, info.Size(), err)
	}
	if err := h.store.NoteLogsRemoved(t.Context(), []int64{id}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if lines, err := b.ReadLog(t.Context(), id, 0, 0); catalog.CodeOf(err) != catalog.NotFound || !strings.Contains(catalog.MessageOf(err), "was removed on") {
		t.Errorf("read: %v, %v", lines, err)
	}
	if _, err := b.FollowLog(t.Context(), id, 0, func([]catalog.LogLine) error { return nil }); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("follow: %v", err)
	}
}

func TestTornLogIsMendedByTheNextAttempt(t *testing.T) {
	h := newEnv(t)
	image := h.image("alice", "app")
	queued, err := h.store.QueueBuilds(t.Context(), []catalog.NewBuild{h.newBuild(image, "v1", commitA)})
	if err != nil {
		t.Fatal(err)
	}
	id := queued[0].ID
	b := h.builder(built)
	path := filepath.Join(h.logs, fmt.Sprintf("%d.log", id))
	torn := "0 first attempt\n1500 whole\n1700 to" + strings.Repeat("o", 500)
	if err := os.WriteFile(path, []byte(torn), 0o600); err != nil {
		t.Fatal(err)
	}
	lines, err := b.ReadLog(t.Context(), id, 0, 0)
	if err != nil || len(lines) != 2 || lines[1] != (catalog.LogLine{Offset: 1500 * time.Millisecond, Text: "whole"}) {
		t.Fatalf("torn log reads as %v, %v", lines, err)
	}
	h.run(b)
	_, texts := h.follow(b, id)
	wantLog(t, texts, "first attempt\nwhole\nBuilding alice/app:v1", "Built")
	data, err := os.ReadFile(path)
	if err != nil || bytes.Contains(data, []byte("tooo")) || !bytes.HasSuffix(data, []byte("\n")) {
		t.Errorf("the file is not mended: %v\n%s", err, data)
	}
	lines, err = b.ReadLog(t.Context(), id, 2, 1)
	if err != nil || lines[0].Offset < 1500*time.Millisecond {
		t.Errorf("the next attempt's offset went back: %v, %v", lines, err)
	}
}

// Lines that could not be written are missed by who reads the log, so it says so.
func TestLogSaysWhatItLacks(t *testing.T) {
	h := newEnv(t)
	aside := h.logs + "-aside"
	b := h.builder(func(_ context.Context, _ builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
		progress(builder.Event{Line: "lost 1"})
		progress(builder.Event{Line: "lost 2"})
		if err := os.Rename(aside, h.logs); err != nil {
			t.Error(err)
		}
		progress(builder.Event{Line: "kept"})
		return builder.SolveResult{Digest: digest}, nil
	})
	if err := os.Rename(h.logs, aside); err != nil {
		t.Fatal(err)
	}
	h.run(b)
	id := h.submit(b, h.newBuild(h.image("alice", "app"), "v1", commitA))[0].ID
	_, texts := h.follow(b, id)
	wantLog(t, texts, "(3 lines are missing here: the server could not write them)\nkept", "Built alice/app:v1")
	if strings.Count(strings.Join(texts, "\n"), "missing") != 1 {
		t.Errorf("it says so more than once: %q", texts)
	}
}

func TestEndlessOutputIsCut(t *testing.T) {
	h := newEnv(t)
	long := strings.Repeat("x", 16<<10)
	b := h.builder(func(_ context.Context, _ builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
		for range 80 << 20 / len(long) {
			progress(builder.Event{Line: long})
		}
		return builder.SolveResult{Digest: digest}, nil
	})
	h.run(b)
	id := h.submit(b, h.newBuild(h.image("alice", "app"), "v1", commitA))[0].ID
	last := []string{}
	if _, err := b.FollowLog(t.Context(), id, 0, func(lines []catalog.LogLine) error {
		for _, line := range lines {
			if line.Text != long {
				last = append(last, line.Text)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	wantLog(t, last, "the rest of the output is left out", "Built alice/app:v1")
	info, err := os.Stat(filepath.Join(h.logs, fmt.Sprintf("%d.log", id)))
	if err != nil || info.Size() > 70<<20 {
		t.Errorf("log size %v, %v", info.Size(), err)
	}
}

// The steps of a build that runs are told as they stand, and of no other.
func TestRunningSteps(t *testing.T) {
	e := newEnv(t)
	image := e.image("ann", "app")
	begun, end := make(chan struct{}), make(chan struct{})
	b := e.builder(func(_ context.Context, _ builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
		step := catalog.Step{Digest: "a", Name: "[1/1] RUN make", Number: 1, StartedAt: time.Now()}
		progress(builder.Event{Step: &step})
		close(begun)
		<-end
		return builder.SolveResult{Digest: digest}, nil
	})
	defer e.run(b)()
	id := e.submit(b, e.newBuild(image, "v1", commitA))[0].ID
	receive(t, begun)
	steps := b.RunningSteps(id)
	if len(steps) != 1 || steps[0].Name != "[1/1] RUN make" || !steps[0].EndedAt.IsZero() {
		t.Errorf("while it runs: %+v", steps)
	}
	if other := b.RunningSteps(id + 1); len(other) != 0 {
		t.Errorf("of another build: %+v", other)
	}
	close(end)
	e.follow(b, id)
	testkit.Eventually(t, "none of a build that has ended", func() bool { return len(b.RunningSteps(id)) == 0 })
}
