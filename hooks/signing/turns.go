package signing

import (
	"context"
	"sync"
)

// turns lets one work at a time. Of each namespace one waits for that, and the others of it wait for that one: who asks often keeps
// nobody else waiting for more than one turn. The zero value is ready.
type turns struct {
	mu   sync.Mutex
	rows map[string]chan struct{} // by namespace, and "" for all; full while somebody is in it
}

// take waits for a turn, until ctx ends; waits is called once before, if it has to. done ends the turn.
func (t *turns) take(ctx context.Context, namespace string, waits func()) (done func(), err error) {
	waits = sync.OnceFunc(waits)
	own, all := t.row(namespace), t.row("")
	if err := enter(ctx, own, waits); err != nil {
		return nil, err
	}
	if err := enter(ctx, all, waits); err != nil {
		<-own
		return nil, err
	}
	return func() { <-all; <-own }, nil
}

func (t *turns) row(name string) chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rows == nil {
		t.rows = map[string]chan struct{}{}
	}
	if t.rows[name] == nil {
		t.rows[name] = make(chan struct{}, 1)
	}
	return t.rows[name]
}

func enter(ctx context.Context, row chan struct{}, waits func()) error {
	select {
	case row <- struct{}{}:
		return nil
	default:
	}
	waits()
	select {
	case row <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
