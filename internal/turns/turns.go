// Package turns shares out what few can do at a time.
package turns

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// Turns let a few at a time go on: of those who wait, one of each namespace in turn, and one whose turn just ended after all others,
// so that nobody's many keep another from it. It is safe for concurrent use.
type Turns struct {
	limit int

	mu      sync.Mutex
	free    int
	waiting map[string][]chan struct{}
	order   []string // of the namespaces that wait
}

// ErrMany is the error where too many of a namespace wait.
var ErrMany = errors.New("too many wait")

// New returns Turns of which so many may be taken at once. Of one namespace at most limit may wait, 0: any number.
func New(atOnce, limit int) *Turns {
	return &Turns{limit: limit, free: atOnce, waiting: map[string][]chan struct{}{}}
}

// Waiting is how many wait.
func (t *Turns) Waiting() (all int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, some := range t.waiting {
		all += len(some)
	}
	return all
}

// Take waits for a turn, which ends with release. Errors: ErrMany, the cause of ctx's end.
func (t *Turns) Take(ctx context.Context, namespace string) (release func(), err error) {
	return t.TakeOrSay(ctx, namespace, func() {})
}

// TakeOrSay is Take that calls waits if it has to wait, before it does.
func (t *Turns) TakeOrSay(ctx context.Context, namespace string, waits func()) (release func(), err error) {
	turn, err := t.enter(namespace)
	if err != nil {
		return nil, err
	}
	release = func() { t.pass(namespace) }
	select {
	case <-turn:
		return release, nil
	default:
	}
	waits()
	select {
	case <-turn:
		return release, nil
	case <-ctx.Done():
		t.leave(namespace, turn)
		return nil, context.Cause(ctx)
	}
}

// enter returns what is closed when it is one's turn.
func (t *Turns) enter(namespace string) (turn chan struct{}, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	turn = make(chan struct{})
	switch before := t.waiting[namespace]; {
	case t.free > 0:
		t.free--
		close(turn)
	case t.limit > 0 && len(before) >= t.limit:
		return nil, ErrMany
	default:
		if len(before) == 0 {
			t.order = append(t.order, namespace)
		}
		t.waiting[namespace] = append(before, turn)
	}
	return turn, nil
}

// leave gives up waiting.
func (t *Turns) leave(namespace string, turn chan struct{}) {
	t.mu.Lock()
	before := t.waiting[namespace]
	at := slices.Index(before, turn)
	if at >= 0 {
		if before = slices.Delete(before, at, at+1); len(before) > 0 {
			t.waiting[namespace] = before
		} else {
			delete(t.waiting, namespace)
			t.order = slices.DeleteFunc(t.order, func(other string) bool { return other == namespace })
		}
	}
	t.mu.Unlock()
	if at < 0 { // it was one's turn at last
		t.pass(namespace)
	}
}

// pass gives the turn that a namespace had to the next one.
func (t *Turns) pass(namespace string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.order) == 0 {
		t.free++
		return
	}
	if at := slices.Index(t.order, namespace); at >= 0 {
		t.order = append(slices.Delete(t.order, at, at+1), namespace)
	}
	next := t.order[0]
	t.order = t.order[1:]
	close(t.waiting[next][0])
	if rest := t.waiting[next][1:]; len(rest) > 0 {
		t.waiting[next] = rest
		t.order = append(t.order, next)
	} else {
		delete(t.waiting, next)
	}
}
