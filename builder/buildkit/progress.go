package buildkit

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// tailLines is how many lines of output a step keeps for a failure's detail.
const tailLines = 20

// maxName is how many characters of a step's name are shown; a RUN may hold a
// whole script.
const maxName = 200

// exportName calls the export what it is for the user: how BuildKit hands the
// image over is between the two of us.
var exportName = strings.NewReplacer("exporting to oci image format", "exporting to image")

// BuildKit's own preparations get a line for their end only when they took long.
const (
	internalPrefix = "[internal] "
	quietInternal  = time.Second
)

// progress turns BuildKit's status messages, and what is done beside it, into events.
// What it writes:
//
//	#4 [2/3] RUN make            a step starts
//	#4 | cc -c main.c            a line that it printed
//	#4 done 1.2s                 or: #4 ERROR exit code: 2
//	#5 [3/3] COPY . / CACHED     a step that did not have to run
type progress struct {
	platforms []ocispecs.Platform // of the build, where it has several

	mu     sync.Mutex
	emit   func(builder.Event)
	steps  map[vertexKey]*step // those of a group share one
	groups map[vertexKey]*step
	part   int // that what is being taken in is of
	order  []*step
	bound  *builder.Bound // of the output
	sent   int64          // bytes of it that were passed on
	taken  int64          // bytes that BuildKit holds of it so far, about

	disk Disk // BuildKit's
	mask *builder.Mask
}

// vertexKey names what BuildKit tells of: two BuildKits may have one name for it.
type vertexKey struct {
	part int
	name string // a vertex's digest, or a group's ID
}

// step is one vertex, or a group of them, merged from all that BuildKit says
// about it. Of a group, one vertex builds on the others and tells how the step
// ended; the others are weak: they may begin the step, and fail it.
type step struct {
	catalog.Step
	part    int
	number  int
	named   bool // the start line was written
	closed  bool // the end line was written
	streams map[int]*stream
	tail    []string
	needs   []vertexKey // vertices that are the inputs of its own

	diskFull bool // BuildKit's disk was while the step ran, which failed
}

// stream is what a step prints to its standard output, or to the other.
type stream struct {
	masked builder.MaskedStream
	lines  builder.OutputLines
	isNew  bool // it printed since the last look
}

// printed reports whether one of the last lines ends so.
func (s *step) printed(end string) bool {
	return slices.ContainsFunc(s.tail, func(line string) bool { return strings.HasSuffix(line, end) })
}

func newProgress(limit int64, emit func(builder.Event)) *progress {
	return &progress{emit: emit, steps: map[vertexKey]*step{}, groups: map[vertexKey]*step{}, bound: builder.OutputBound(limit), disk: unwatched{}}
}

// hide keeps a build's secrets out of all that is emitted from now on.
func (p *progress) hide(s *buildSecrets) {
	p.emit, p.mask = s.hideIn(p.emit), s.mask
}

// note writes a line that is about no step.
func (p *progress) note(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.emit(builder.Event{Time: time.Now(), Line: line})
}

// maxQuiet is about how long a line is held back that may end in the beginning of a secret.
const maxQuiet = time.Second

// quiet ticks when release is to be called, where anything is ever held back.
func (p *progress) quiet() (tick <-chan time.Time, stop func()) {
	if p.mask == nil {
		return nil, func() {}
	}
	ticker := time.NewTicker(maxQuiet)
	return ticker.C, ticker.Stop
}

// release writes what was held back of streams that have printed nothing since the last call.
func (p *progress) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.order {
		for _, out := range s.streams {
			if !out.isNew {
				for _, line := range out.lines.Write(out.masked.Flush()) {
					p.outputLine(s, time.Now(), line)
				}
			}
			out.isNew = false
		}
	}
}

// update takes in what the BuildKit of a part says, and returns how many bytes of output all hold so far, about.
func (p *progress) update(part int, status *client.SolveStatus) (taken int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.part = part
	for _, v := range status.Vertexes {
		if p.start(v); v.Cached {
			p.end(v) // nothing comes between; later steps must not be shown before it
		}
	}
	for _, l := range status.Logs {
		p.output(l)
	}
	for _, w := range status.Warnings {
		p.warn(w)
	}
	for _, v := range status.Vertexes {
		p.end(v)
	}
	return p.taken
}

// finish writes what is left of a part when no more statuses come.
func (p *progress) finish(part int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.order {
		if s.part == part {
			p.flush(s, time.Now())
		}
	}
}

// did tells of a step that is not BuildKit's.
func (p *progress) did(part int, id, name string, begun time.Time, cached bool) {
	ended := time.Now()
	v := &client.Vertex{Digest: digest.Digest(id), Name: name, Started: &begun, Completed: &ended, Cached: cached}
	p.update(part, &client.SolveStatus{Vertexes: []*client.Vertex{v}})
}

func (p *progress) step(d digest.Digest) *step {
	key := vertexKey{p.part, d.String()}
	s, ok := p.steps[key]
	if !ok {
		s = &step{Step: catalog.Step{Digest: d.String()}, part: p.part, streams: map[int]*stream{}}
		if p.part > 0 { // steps of one build are told apart by it
			s.Digest += fmt.Sprintf("@%d", p.part)
		}
		p.steps[key] = s
	}
	return s
}

// stepOf finds a vertex's step; a group's is that of its first vertex.
func (p *progress) stepOf(v *client.Vertex) *step {
	group := v.ProgressGroup
	if group == nil {
		return p.step(v.Digest)
	}
	key := vertexKey{p.part, group.Id}
	s, ok := p.groups[key]
	if !ok {
		if s, ok = p.steps[key]; !ok { // the last, where graphs are cut, which a test may have by itself
			s = p.step(v.Digest)
			p.steps[key] = s
		}
		p.groups[key] = s
	}
	p.steps[vertexKey{p.part, v.Digest.String()}] = s
	return s
}

// start notes a step's name and, once it has begun, writes its first line. A
// cached step waits for its only line until it ended.
func (p *progress) start(v *client.Vertex) {
	s := p.stepOf(v)
	name := v.Name
	if v.ProgressGroup != nil {
		name = v.ProgressGroup.Name
	}
	p.need(s, v.Inputs)
	s.Name = shorten(builder.CleanLine(exportName.Replace(name)), maxName)
	if len(p.platforms) > 0 {
		s.Platform = platformOfStep(s.Name, p.platforms)
	}
	if v.Started == nil || v.Cached && isWeak(v) {
		return
	}
	if s.StartedAt.IsZero() {
		s.StartedAt = *v.Started
	}
	if s.number == 0 {
		p.order = append(p.order, s)
		s.number, s.Number = len(p.order), len(p.order)
	}
	if !s.named && !v.Cached {
		s.named = true
		p.say(s, s.StartedAt, s.Name)
	}
}

// end notes how a step ended. BuildKit may complete a vertex more than once;
// the line is written for the first time, the step keeps the last.
func (p *progress) end(v *client.Vertex) {
	s := p.stepOf(v)
	if v.Completed == nil || s.number == 0 || v.Error == "" && isWeak(v) {
		return
	}
	at := *v.Completed
	p.flush(s, at)
	s.EndedAt = at
	s.Cached = v.Cached
	failed := v.Error != "" && s.Error == ""
	if v.Error != "" {
		s.Error = withoutHostPaths(builder.CleanLine(v.Error))
	}
	if failed {
		s.diskFull = p.disk.WasFull(s.StartedAt)
	}
	switch {
	case failed:
		s.closed = true
		p.say(s, at, "ERROR "+shortError(s.Error))
	case s.closed:
		p.changed(s, at)
	case v.Cached && !s.named:
		s.named, s.closed = true, true
		p.say(s, at, s.Name+" CACHED")
	case v.Cached:
		s.closed = true
		p.say(s, at, "CACHED")
	case strings.HasPrefix(s.Name, internalPrefix) && at.Sub(s.StartedAt) < quietInternal:
		s.closed = true
		p.changed(s, at)
	default:
		s.closed = true
		p.say(s, at, "done "+seconds(s.EndedAt.Sub(s.StartedAt)))
	}
}

// need notes the inputs of a step's vertex. A build graph may be of any width.
func (p *progress) need(s *step, inputs []digest.Digest) {
	for _, input := range inputs {
		if key := (vertexKey{p.part, input.String()}); len(s.needs) < catalog.MaxStepInputs && !slices.Contains(s.needs, key) {
			s.needs = append(s.needs, key)
		}
	}
}

// snapshot is a step as it stands, with the steps that it needs.
func (p *progress) snapshot(s *step) *catalog.Step {
	copied := s.Step
	copied.Inputs = nil
	for _, key := range s.needs {
		if input := p.steps[key]; input != nil && input != s && !slices.Contains(copied.Inputs, input.Digest) {
			copied.Inputs = append(copied.Inputs, input.Digest)
		}
	}
	return &copied
}

func isWeak(v *client.Vertex) bool { return v.ProgressGroup != nil && v.ProgressGroup.Weak }

// messageSize is about what a message costs BuildKit beside its bytes, which it
// holds until the build is over. A program that writes byte by byte makes as many.
const messageSize = 512

func (p *progress) output(l *client.VertexLog) {
	p.taken += int64(len(l.Data)) + messageSize
	s := p.step(l.Vertex)
	out, ok := s.streams[l.Stream]
	if !ok {
		out = &stream{masked: builder.MaskedStream{Mask: p.mask}, lines: builder.OutputLines{Rewrite: withoutHostPaths}}
		s.streams[l.Stream] = out
	}
	out.isNew = true
	data := out.masked.Write(l.Data)
	if p.bound.IsFull() {
		data = out.lines.SkipTo(tailLines, data)
	}
	for _, line := range out.lines.Write(data) {
		p.outputLine(s, l.Timestamp, line)
	}
}

func (p *progress) flush(s *step, at time.Time) {
	for _, number := range []int{1, 2} {
		if out, ok := s.streams[number]; ok {
			for _, line := range append(out.lines.Write(out.masked.Flush()), out.lines.Flush()...) {
				p.outputLine(s, at, line)
			}
		}
	}
}

func (p *progress) outputLine(s *step, at time.Time, line string) {
	if len(s.tail) == tailLines {
		s.tail = s.tail[1:]
	}
	s.tail = append(s.tail, line)
	text := fmt.Sprintf("#%d | %s", s.number, line)
	p.sent += int64(len(text)) + 1
	if text = p.bound.Line(text, p.sent); text != "" {
		p.emit(builder.Event{Time: at, Line: text})
	}
}

func (p *progress) warn(w *client.VertexWarning) {
	where := ""
	if len(w.Range) > 0 && w.SourceInfo != nil {
		where = fmt.Sprintf(" (%s:%d)", w.SourceInfo.Filename, w.Range[0].Start.Line)
	}
	p.emit(builder.Event{Time: time.Now(), Line: "warning: " + builder.CleanLine(string(w.Short)) + where})
}

// say writes a line about a step, together with the step as it stands.
func (p *progress) say(s *step, at time.Time, text string) {
	p.emit(builder.Event{Time: at, Line: fmt.Sprintf("#%d %s", s.number, text), Step: p.snapshot(s)})
}

func (p *progress) changed(s *step, at time.Time) {
	p.emit(builder.Event{Time: at, Step: p.snapshot(s)})
}

// failed returns the step that an error of a part is about: the one with the digest, or
// else the last that ended with an error.
func (p *progress) failed(part int, d string) *step {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.steps[vertexKey{part, d}]; ok {
		return s
	}
	for i := len(p.order) - 1; i >= 0; i-- {
		if p.order[i].part == part && p.order[i].Error != "" {
			return p.order[i]
		}
	}
	return nil
}

// shortError leaves out what BuildKit repeats of the step's own name.
func shortError(text string) string {
	if i := strings.LastIndex(text, "did not complete successfully: "); i >= 0 {
		return text[i+len("did not complete successfully: "):]
	}
	return text
}

func shorten(text string, limit int) string {
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit]) + " …"
	}
	return text
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", max(0, d.Seconds())) }
