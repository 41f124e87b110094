package account

import (
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	freeFailures = 5 // in a row, before a wait is asked for
	firstWait    = time.Second
	longestWait  = time.Minute
	forgetAfter  = 15 * time.Minute // since the last failure
	maxThrottled = 10_000           // names remembered
)

// failures is the wrong passwords given for one name in a row.
type failures struct {
	count int
	last  time.Time
}

// wait is how long after the last failure nobody may try again.
func (f failures) wait() time.Duration {
	over := f.count - freeFailures
	if over < 0 {
		return 0
	}
	if over > 10 {
		return longestWait
	}
	return min(firstWait<<over, longestWait)
}

// throttle makes guessing slow: twice the wait after every failure beyond the
// free ones. Names that no user has are counted alike, to tell nobody apart.
type throttle struct {
	mu       sync.Mutex
	failures *lru.Cache[string, failures]
}

// throttleKey puts names that can't be anybody's under one key.
func throttleKey(name string) string {
	key := strings.ToLower(name)
	if catalog.ValidateUserName(key) != nil {
		return ""
	}
	return key
}

// check returns RateLimited while a password of this name may not be tried.
func (t *throttle) check(name string, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, _ := t.failures.Get(throttleKey(name))
	if left := f.last.Add(f.wait()).Sub(now); f.wait() > 0 && left > 0 {
		seconds := int((left + time.Second - 1) / time.Second)
		return catalog.Errorf(catalog.RateLimited, "too many wrong passwords for this user; wait %d s, or use a token", seconds)
	}
	return nil
}

func (t *throttle) failed(name string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := throttleKey(name)
	f, _ := t.failures.Get(key)
	if now.Sub(f.last) > forgetAfter {
		f = failures{}
	}
	t.failures.Add(key, failures{count: f.count + 1, last: now})
}

func (t *throttle) succeeded(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures.Remove(throttleKey(name))
}
