package objects

import (
	"context"
	"runtime/debug"
	"sync"
)

// frugalPercent is how much the heap may grow between two collections while a
// pack is received, in percent. What is kept for each object holds no pointers, so a
// collection is cheap, while the usual doubling would double what a large pack takes.
const frugalPercent = 10

// frugalFrom is from how many objects on a pack is large: some megabytes.
const frugalFrom = 1 << 17

// bigObject is from which size in bytes on only one object is rebuilt at a time,
// in all pushes of a budget together: an object, its base and the delta between them are in memory.
// So they take up to three times Limits.ObjectBytes, not that for each push
// and processor.
const bigObject = 32 << 20

// Budget is the memory that the packs of a process share. There is one, as there is one collector.
type Budget struct {
	big    chan struct{} // held while a big object is made
	deltas chan struct{} // held while a delta is made: each takes several times the object's size

	mu     sync.Mutex
	frugal int // how many want the collector to run more often
	before int // how much the heap might grow before they did
}

// NewBudget is for one big object and two deltas at a time.
func NewBudget() *Budget {
	return &Budget{big: make(chan struct{}, 1), deltas: make(chan struct{}, 2)}
}

// beFrugal has the collector run more often until done is called.
func (b *Budget) beFrugal() (done func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.frugal++; b.frugal == 1 {
		b.before = debug.SetGCPercent(frugalPercent)
		if b.before >= 0 && b.before < frugalPercent {
			debug.SetGCPercent(b.before)
		}
	}
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.frugal--; b.frugal == 0 {
			debug.SetGCPercent(b.before)
		}
	})
}

// awaitDelta waits until one more delta may be made, which ends with done.
func (b *Budget) awaitDelta() (done func()) {
	b.deltas <- struct{}{}
	return func() { <-b.deltas }
}

// awaitTurn waits before an object of some size is made, if that is big. The
// worker keeps the turn for all that is made from that object.
func (w *worker) awaitTurn(ctx context.Context, size int64) error {
	if size < bigObject || w.turn != nil {
		return nil
	}
	budget := w.resolver.budget
	select {
	case budget.big <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	relax := budget.beFrugal()
	w.turn = func() {
		relax()
		<-budget.big
	}
	return nil
}

func (w *worker) endTurn() {
	if w.turn != nil {
		w.turn()
		w.turn = nil
	}
}
