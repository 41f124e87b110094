package imagefiles

import (
	"context"
	"slices"
	"sync"
)

// turns let one at a time go on: of those who wait, one of each namespace in turn, so that nobody's many keep another from it. It is
// safe for concurrent use.
type turns struct {
	limit int // that may wait of one namespace; 0: any number

	mu      sync.Mutex
	taken   bool
	waiting map[string][]chan struct{}
	order   []string // of the namespaces that wait
}

func newTurns(limit int) *turns { return &turns{limit: limit, waiting: map[string][]chan struct{}{}} }

// take waits for a turn, which ends with release. Errors: errBusy (too many wait), that of ctx.
func (t *turns) take(ctx context.Context, namespace string) (release func(), err error) {
	turn, err := t.enter(namespace)
	if err != nil {
		return nil, err
	}
	select {
	case <-turn:
		return t.pass, nil
	case <-ctx.Done():
		t.leave(namespace, turn)
		return nil, context.Cause(ctx)
	}
}

// enter returns what is closed when it is one's turn.
func (t *turns) enter(namespace string) (turn chan struct{}, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	turn = make(chan struct{})
	switch before := t.waiting[namespace]; {
	case !t.taken:
		t.taken = true
		close(turn)
	case t.limit > 0 && len(before) >= t.limit:
		return nil, errBusy
	default:
		if len(before) == 0 {
			t.order = append(t.order, namespace)
		}
		t.waiting[namespace] = append(before, turn)
	}
	return turn, nil
}

// leave gives up waiting.
func (t *turns) leave(namespace string, turn chan struct{}) {
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
		t.pass()
	}
}

// pass gives the turn to the next.
func (t *turns) pass() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.order) == 0 {
		t.taken = false
		return
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
