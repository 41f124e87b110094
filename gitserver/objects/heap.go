package objects

import (
	"runtime/debug"
	"sync"
)

// frugalPercent is how much the heap may grow between two collections while a
// pack is received, in percent. What is kept for each object holds no pointers, so a
// collection is cheap, while the usual doubling would double what a large pack takes.
const frugalPercent = 25

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
