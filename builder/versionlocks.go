package builder

import (
	"cmp"
	"slices"
	"sync"
)

// versionKey names a version in a builder's queue.
type versionKey struct {
	imageID int64
	version string
}

// versionLocks are locks, one for each version. What changes what is known of a version holds its
// lock: queueing, cancelling and ending, each with the tag and log lines that go
// with it. So a push that queues a version again never has its tag withdrawn by the
// end of the build before. The zero value is ready.
type versionLocks struct {
	mu   sync.Mutex
	held map[versionKey]*heldLock
}

type heldLock struct {
	sync.Mutex
	users int
}

// lock locks all of wanted and returns what unlocks them.
func (v *versionLocks) lock(wanted ...versionKey) (unlock func()) {
	// In one order, so that no two callers wait for each other.
	slices.SortFunc(wanted, func(a, b versionKey) int {
		return cmp.Or(cmp.Compare(a.imageID, b.imageID), cmp.Compare(a.version, b.version))
	})
	wanted = slices.Compact(wanted)
	for _, w := range wanted {
		v.use(w).Lock()
	}
	return func() {
		for _, w := range wanted {
			v.release(w)
		}
	}
}

func (v *versionLocks) use(w versionKey) *heldLock {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.held == nil {
		v.held = map[versionKey]*heldLock{}
	}
	if v.held[w] == nil {
		v.held[w] = &heldLock{}
	}
	v.held[w].users++
	return v.held[w]
}

func (v *versionLocks) release(w versionKey) {
	v.mu.Lock()
	defer v.mu.Unlock()
	held := v.held[w]
	held.Unlock()
	if held.users--; held.users == 0 {
		delete(v.held, w)
	}
}
