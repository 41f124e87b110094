package account

import (
	"math"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	freeFailures = 5 // in a row, before a wait is asked for
	firstWait    = time.Second
	longestWait  = time.Minute
	forgetAfter  = 15 * time.Minute // since the last failure
	maxThrottled = 10_000           // names remembered, and addresses

	// One address may be that of many people.
	addressFailures = 30              // at once
	addressRefill   = 5 * time.Second // for one more
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

// throttle makes guessing slow. For a name, twice the wait after every failure
// beyond the free ones; names that no user has are counted alike, to tell
// nobody apart. For an address, which may try many names, so many failures in
// a time; a success, which anybody may have with a name of their own, does
// not forgive them.
type throttle struct {
	mu        sync.Mutex
	names     *lru.Cache[string, failures]
	addresses *lru.Cache[string, *rate.Limiter] // a token is a failure that is left
}

func newThrottle() *throttle {
	return &throttle{names: newLRU[string, failures](maxThrottled), addresses: newLRU[string, *rate.Limiter](maxThrottled)}
}

// waitError is a refusal that knows when to come back.
type waitError struct {
	error
	wait time.Duration
}

func (e waitError) Unwrap() error { return e.error }

// RetryAfter is how long to wait, in whole seconds.
func (e waitError) RetryAfter() time.Duration { return e.wait }

func tooMany(left time.Duration, whose string) error {
	left = time.Duration(math.Ceil(left.Seconds())) * time.Second
	return waitError{catalog.Errorf(catalog.RateLimited, "too many wrong passwords %s; wait %d s, or use a token", whose, int(left.Seconds())), left}
}

// throttleKey puts names that can't be anybody's under one key.
func throttleKey(name string) string {
	key := strings.ToLower(name)
	if catalog.ValidateUserName(key) != nil {
		return ""
	}
	return key
}

// check returns RateLimited while a password of this name may not be tried, or
// none from this network.
func (t *throttle) check(network, name string, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, _ := t.names.Get(throttleKey(name))
	if left := f.last.Add(f.wait()).Sub(now); f.wait() > 0 && left > 0 {
		return tooMany(left, "for this user")
	}
	if a, ok := t.addresses.Get(network); ok {
		if missing := 1 - a.TokensAt(now); missing > 0 {
			return tooMany(time.Duration(missing*float64(addressRefill)), "from your address")
		}
	}
	return nil
}

func (t *throttle) failed(network, name string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := throttleKey(name)
	f, _ := t.names.Get(key)
	if now.Sub(f.last) > forgetAfter {
		f = failures{}
	}
	t.names.Add(key, failures{count: f.count + 1, last: now})
	if network == "" {
		return
	}
	a, ok := t.addresses.Get(network)
	if !ok {
		a = rate.NewLimiter(rate.Every(addressRefill), addressFailures)
		t.addresses.Add(network, a)
	}
	a.AllowN(now, 1)
}

func (t *throttle) succeeded(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.names.Remove(throttleKey(name))
}
