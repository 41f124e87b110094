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

var frugality struct {
	mu     sync.Mutex
	users  int
	before int // what the process had
}

// beFrugal has the collector run more often until done is called.
func beFrugal() (done func()) {
	f := &frugality
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.users++; f.users == 1 {
		f.before = debug.SetGCPercent(frugalPercent)
		if f.before >= 0 && f.before < frugalPercent {
			debug.SetGCPercent(f.before)
		}
	}
	return sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.users--; f.users == 0 {
			debug.SetGCPercent(f.before)
		}
	})
}

// bigObject is from which size in bytes on only one object is rebuilt at a time,
// whoever pushes: an object, its base and the delta between them are in memory.
// So the process takes up to three times Limits.ObjectBytes, not that for each push
// and processor.
const bigObject = 32 << 20

var bigTurn = make(chan struct{}, 1)

// awaitTurn waits before an object of some size is made, if that is big. The
// worker keeps the turn for all that is made from that object.
func (w *worker) awaitTurn(ctx context.Context, size int64) error {
	if size < bigObject || w.turn != nil {
		return nil
	}
	select {
	case bigTurn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	relax := beFrugal()
	w.turn = func() {
		relax()
		<-bigTurn
	}
	return nil
}

func (w *worker) endTurn() {
	if w.turn != nil {
		w.turn()
		w.turn = nil
	}
}
