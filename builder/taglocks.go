package builder

import (
	"cmp"
	"slices"
	"sync"

	"github.com/fandoghpaas/fandogh/catalog"
)

// tagKey names a git tag, and with it the versions in a builder's queue that are of it.
type tagKey struct {
	sourceID int64
	tag      string
}

func keyOf(build catalog.Build) tagKey { return tagKey{build.SourceID, build.Tag} }

// tagLocks are locks, one for each tag. What changes what is known of a version holds the lock of its
// tag: queueing, cancelling and ending, each with the tag and log lines that go
// with it. So a push that queues a version again never has its tag withdrawn by the
// end of the build before, and of the builds of one tag that fail the last one sees that it is. The zero value is ready.
type tagLocks struct {
	mu   sync.Mutex
	held map[tagKey]*heldLock
}

type heldLock struct {
	sync.Mutex
	users int
}

// lock locks all of wanted and returns what unlocks them.
func (v *tagLocks) lock(wanted ...tagKey) (unlock func()) {
	// In one order, so that no two callers wait for each other.
	slices.SortFunc(wanted, func(a, b tagKey) int {
		return cmp.Or(cmp.Compare(a.sourceID, b.sourceID), cmp.Compare(a.tag, b.tag))
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

func (v *tagLocks) use(w tagKey) *heldLock {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.held == nil {
		v.held = map[tagKey]*heldLock{}
	}
	if v.held[w] == nil {
		v.held[w] = &heldLock{}
	}
	v.held[w].users++
	return v.held[w]
}

func (v *tagLocks) release(w tagKey) {
	v.mu.Lock()
	defer v.mu.Unlock()
	held := v.held[w]
	held.Unlock()
	if held.users--; held.users == 0 {
		delete(v.held, w)
	}
}
