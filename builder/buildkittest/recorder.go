//go:build linux

package buildkittest

import (
	"strings"
	"sync"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// Recorder keeps what a solve reported.
type Recorder struct {
	mu     sync.Mutex
	lines  []string
	Steps  map[string]catalog.Step
	Notify chan string // every line too, when not nil
}

// Event is what a solve reports to.
func (r *Recorder) Event(e builder.Event) {
	r.mu.Lock()
	if e.Line != "" {
		r.lines = append(r.lines, e.Line)
	}
	if e.Step != nil {
		if r.Steps == nil {
			r.Steps = map[string]catalog.Step{}
		}
		r.Steps[e.Step.Digest] = *e.Step
	}
	r.mu.Unlock()
	if r.Notify != nil && e.Line != "" {
		r.Notify <- e.Line
	}
}

// Text is all lines so far.
func (r *Recorder) Text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}
