//go:build linux

package buildkit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
)

func TestProgressReadsWell(t *testing.T) {
	began := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds float64) *time.Time {
		moment := began.Add(time.Duration(seconds * float64(time.Second)))
		return &moment
	}
	load := client.Vertex{Digest: "d1", Name: "[internal] load build context", Started: at(0)}
	slow := client.Vertex{Digest: "d2", Name: "[internal] load metadata for base", Started: at(0)}
	base := client.Vertex{Digest: "d3", Name: "[1/3] FROM base", Started: at(1), Completed: at(1), Cached: true}
	run := client.Vertex{Digest: "d4", Name: "[2/3] RUN make", Started: at(1), Inputs: []digest.Digest{"d3", "d4", "d3"}}
	waiting := client.Vertex{Digest: "d5", Name: "[3/3] COPY . /"}
	ended := func(v client.Vertex, when *time.Time, problem string) *client.Vertex {
		v.Completed, v.Error = when, problem
		return &v
	}
	statuses := []*client.SolveStatus{
		{Vertexes: []*client.Vertex{&load, &slow, &run, &waiting}},
		{Vertexes: []*client.Vertex{ended(load, at(0.2), ""), ended(slow, at(1.5), "")}},
		{Vertexes: []*client.Vertex{&base}, Logs: []*client.VertexLog{{Vertex: "d4", Stream: 1, Data: []byte("compiling\nlink")}}},
		{Warnings: []*client.VertexWarning{{Short: []byte("JSONArgs: use JSON"), SourceInfo: &pb.SourceInfo{Filename: "Dockerfile"}, Range: []*pb.Range{{Start: &pb.Position{Line: 3}}}}}},
		{Vertexes: []*client.Vertex{ended(run, at(2.25), "")}},
		{Vertexes: []*client.Vertex{ended(run, at(2.5), "")}}, // completes once more
		{Vertexes: []*client.Vertex{ended(client.Vertex{Digest: "d6", Name: "exporting to image", Started: at(3)}, at(3), "push refused")}},
	}
	rec := &buildkittest.Recorder{}
	view := newProgress(1<<20, rec.Event)
	for _, status := range statuses {
		view.update(0, status)
	}
	view.finish(0)
	want := strings.Join([]string{
		"#1 [internal] load build context",
		"#2 [internal] load metadata for base",
		"#3 [2/3] RUN make",
		"#2 done 1.5s",
		"#4 [1/3] FROM base CACHED",
		"#3 | compiling",
		"warning: JSONArgs: use JSON (Dockerfile:3)",
		"#3 | link",
		"#3 done 1.2s",
		"#5 exporting to image",
		"#5 ERROR push refused",
	}, "\n")
	if got := rec.Text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if step := rec.Steps["d4"]; !step.EndedAt.Equal(*at(2.5)) || !step.StartedAt.Equal(*at(1)) || step.Name != "[2/3] RUN make" {
		t.Errorf("the step that completed twice is %+v", step)
	}
	if step := rec.Steps["d4"]; step.Number != 3 || !slices.Equal(step.Inputs, []string{"d3"}) {
		t.Errorf("the step that needs another is %+v", step)
	}
	if step := rec.Steps["d3"]; !step.Cached {
		t.Errorf("the cached step is %+v", step)
	}
	if _, ok := rec.Steps["d5"]; ok {
		t.Error("a step that never started was reported")
	}
}

// A COPY in parts, and COPY --link, are several vertices of one group.
func TestGroupIsOneStep(t *testing.T) {
	began := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds int) *time.Time {
		moment := began.Add(time.Duration(seconds) * time.Second)
		return &moment
	}
	vertex := func(id, group string, weak bool, from, to *time.Time) *client.Vertex {
		return &client.Vertex{Digest: digest.Digest(id), Name: "part of it", Started: from, Completed: to,
			ProgressGroup: &pb.ProgressGroup{Id: group, Name: "[2/2] COPY " + group, Weak: weak}}
	}
	cached := func(v *client.Vertex) *client.Vertex {
		v.Cached = true
		return v
	}
	failed := func(v *client.Vertex) *client.Vertex {
		v.Error = "no such file"
		return v
	}
	rec := &buildkittest.Recorder{}
	view := newProgress(1<<20, rec.Event)
	for _, v := range []*client.Vertex{
		cached(vertex("a1", "some", true, at(0), at(0))),
		vertex("a2", "some", true, at(1), nil),
		vertex("a2", "some", true, at(1), at(2)),
		vertex("a3", "some", true, at(3), at(4)),
		vertex("a4", "some", false, at(5), at(5)),
		cached(vertex("b1", "all", true, at(6), at(6))),
		cached(vertex("b2", "all", false, at(6), at(6))),
		vertex("c1", "bad", true, at(7), nil),
		failed(vertex("c1", "bad", true, at(7), at(8))),
	} {
		view.update(0, &client.SolveStatus{Vertexes: []*client.Vertex{v}})
	}
	view.finish(0)
	want := "#1 [2/2] COPY some\n#1 done 4.0s\n#2 [2/2] COPY all CACHED\n#3 [2/2] COPY bad\n#3 ERROR no such file"
	if got := rec.Text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if len(rec.Steps) != 3 {
		t.Errorf("%d steps were reported, want 3", len(rec.Steps))
	}
	if step := view.failed(0, "c1"); step == nil || step.Name != "[2/2] COPY bad" {
		t.Errorf("the failed vertex belongs to %v", step)
	}
}

func TestLogIsCutOnceAndTheTailIsKept(t *testing.T) {
	now := time.Now()
	rec := &buildkittest.Recorder{}
	view := newProgress(160, rec.Event)
	view.update(0, &client.SolveStatus{Vertexes: []*client.Vertex{{Digest: "d1", Name: "RUN spam", Started: &now}}})
	for i := range 50 {
		view.update(0, &client.SolveStatus{Logs: []*client.VertexLog{{Vertex: "d1", Stream: 1, Data: fmt.Appendf(nil, "line %03d\n", i)}}})
	}
	var rest []byte
	for i := 50; i < 100; i++ {
		rest = fmt.Appendf(rest, "line %03d\n", i)
	}
	view.update(0, &client.SolveStatus{Logs: []*client.VertexLog{{Vertex: "d1", Stream: 1, Data: rest}}})
	view.update(0, &client.SolveStatus{Vertexes: []*client.Vertex{{Digest: "d1", Name: "RUN spam", Started: &now, Completed: &now, Error: "exit code: 1"}}})
	text := rec.Text()
	if !strings.Contains(text, "line 010") || strings.Contains(text, "line 011") || strings.Count(text, "left out") != 1 || !strings.Contains(text, "#1 ERROR exit code: 1") {
		t.Errorf("got\n%s", text)
	}
	tail := view.failed(0, "d1").tail
	if len(tail) != tailLines || tail[0] != "line 080" || tail[len(tail)-1] != "line 099" {
		t.Errorf("the tail is %q", tail)
	}
}

// What may be the beginning of a secret is held back, but not for good.
func TestHeldBackLinesAreReleased(t *testing.T) {
	var lines []string
	p := newProgress(1<<20, func(e builder.Event) { lines = append(lines, e.Line) })
	secrets, err := newBuildSecrets([]catalog.OpenSecret{{Secret: catalog.Secret{Name: "a"}, Value: []byte("open-sesame"), Alias: "x"}}, p.note)
	if err != nil {
		t.Fatal(err)
	}
	p.hide(secrets)
	now := time.Now()
	id := digest.FromString("step")
	p.update(0, &client.SolveStatus{Vertexes: []*client.Vertex{{Digest: id, Name: "RUN", Started: &now}}})
	say := func(text string) {
		p.update(0, &client.SolveStatus{Logs: []*client.VertexLog{{Vertex: id, Stream: 1, Data: []byte(text), Timestamp: now}}})
	}
	said := func() string { return strings.Join(lines, "\n") }
	say("it is open\n")
	if strings.Contains(said(), "it is open") {
		t.Error("what may be a secret's beginning is not held back")
	}
	p.release()
	if strings.Contains(said(), "it is open") {
		t.Error("what came just now was released")
	}
	p.release()
	if !strings.Contains(said(), "| it is open") {
		t.Errorf("what was held back is not released:\n%s", said())
	}
	say("x open\n-sesame y\n")
	if got := said(); !strings.Contains(got, "| x ***") || !strings.Contains(got, "| *** y") || strings.Contains(got, "sesame") {
		t.Errorf("said:\n%s", got)
	}
	if tick, stop := newProgress(1, nil).quiet(); tick != nil {
		stop()
		t.Error("without secrets something ticks")
	}
}
