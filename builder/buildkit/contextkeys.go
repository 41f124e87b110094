package buildkit

import (
	"crypto/rand"
	"fmt"
	"sync"
)

// contextKeys name the places where BuildKit keeps the files of contexts from one build of an image to the
// next. What their files hold it notes when all have come, so a BuildKit that ended before knows new files as
// old ones: such a place is never used again. Neither is one of an earlier Solver, which may have been killed
// together with BuildKit.
type contextKeys struct {
	solver string

	mu  sync.Mutex
	cut map[string]int // how often a build was cut off, by image
}

func newContextKeys() *contextKeys {
	return &contextKeys{solver: rand.Text(), cut: map[string]int{}}
}

// of returns the key of a tenant's context.
func (k *contextKeys) of(tenant string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return fmt.Sprintf("%s %s %d", tenant, k.solver, k.cut[tenant])
}

// renew gives a tenant's next builds another key, after one that was cut off.
func (k *contextKeys) renew(tenant string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cut[tenant]++
}

// forget drops what is known of a tenant that is gone.
func (k *contextKeys) forget(tenant string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.cut, tenant)
}
