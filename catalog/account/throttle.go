package account

import (
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	freeFailures = 5  // in a row from one network, before a wait is asked for
	freeForName  = 50 // from all networks
	firstWait    = time.Second
	longestWait  = time.Minute
	forgetAfter  = 15 * time.Minute // since the last failure, or success
	maxThrottled = 10_000           // names remembered, and addresses
	maxGuesses   = 50               // beside a known secret, before it is refused like others

	// One address may be that of many people.
	addressFailures = 30              // at once
	addressRefill   = 5 * time.Second // for one more
)

// everywhere stands for all networks.
const everywhere = "everywhere"

// failures is the wrong passwords given for one name in a row.
type failures struct {
	count int
	last  time.Time
}

// wait is how long after the last failure every attempt is refused.
func (f failures) wait(free int) time.Duration {
	over := f.count - free
	if over < 0 {
		return 0
	}
	if over > 10 {
		return longestWait
	}
	return min(firstWait<<over, longestWait)
}

// throttle makes guessing slow, and for who guesses rather than for who is guessed at. For a
// name, twice the wait after every failure beyond the free ones, of which one network has few
// and all together more; names that no user has are counted alike, so that a
// client can't tell them apart. For an address, which may try many names, so many failures in
// a time; a success, which any user may have with a name of their own, does
// not forgive them. Where the name's own password was given lately, only failures
// from there count, and not against that very password.
type throttle struct {
	mu        sync.Mutex
	names     *lru.Cache[attempt, failures] // also from everywhere
	trusted   *lru.Cache[attempt, success]
	addresses *lru.Cache[string, *rate.Limiter] // a token is a failure that is left
}

// success is what was right for one name from one network.
type success struct {
	proof   proof
	last    time.Time
	guesses []proof // of others that came while none might be tried
	guessed time.Time
}

func newThrottle() *throttle {
	return &throttle{names: newLRU[attempt, failures](2 * maxThrottled), trusted: newLRU[attempt, success](maxThrottled), addresses: newLRU[string, *rate.Limiter](maxThrottled)}
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
	return waitError{catalog.Errorf(catalog.RateLimited, "too many failed logins %s; wait %d s, or use a token", whose, int(left.Seconds())), left}
}

// throttleKey puts names that no user can have under one key.
func throttleKey(name string) string {
	key := strings.ToLower(name)
	if catalog.ValidateUserName(key) != nil {
		return ""
	}
	return key
}

// check returns RateLimited while this password of this name may not be tried, or
// none from this network.
func (t *throttle) check(network, name string, given proof, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	here, anywhere := attempt{network, throttleKey(name)}, attempt{everywhere, throttleKey(name)}
	if left := t.left(here, freeFailures, now); left > 0 && !t.knows(here, given, now) {
		return tooMany(left, "for this user")
	}
	if known, ok := t.trusted.Get(here); ok && now.Sub(known.last) < forgetAfter {
		return nil
	}
	if left := t.left(anywhere, freeForName, now); left > 0 {
		return tooMany(left, "for this user")
	}
	if a, ok := t.addresses.Get(network); ok {
		if missing := 1 - a.TokensAt(now); missing > 0 {
			return tooMany(time.Duration(missing*float64(addressRefill)), "from your address")
		}
	}
	return nil
}

// knows reports whether this is the very secret that was right here lately. Being told so is a
// guess for a client that gives another one, and those are few. A program that gives an old one again and again
// does not guess. It is called with mu held.
func (t *throttle) knows(here attempt, given proof, now time.Time) bool {
	known, ok := t.trusted.Get(here)
	if !ok || now.Sub(known.last) >= forgetAfter {
		return false
	}
	if now.Sub(known.guessed) >= forgetAfter {
		known.guesses = nil
	}
	if len(known.guesses) >= maxGuesses {
		return false
	}
	if known.proof == given {
		return true
	}
	if !slices.Contains(known.guesses, given) {
		known.guesses, known.guessed = append(known.guesses, given), now
		t.trusted.Add(here, known)
	}
	return false
}

// left is how long to wait yet. It is called with mu held.
func (t *throttle) left(a attempt, free int, now time.Time) time.Duration {
	f, _ := t.names.Get(a)
	wait := f.wait(free)
	if wait == 0 {
		return 0
	}
	return f.last.Add(wait).Sub(now)
}

func (t *throttle) failed(network, name string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range []attempt{{network, throttleKey(name)}, {everywhere, throttleKey(name)}} {
		f, _ := t.names.Get(a)
		if now.Sub(f.last) > forgetAfter {
			f = failures{}
		}
		t.names.Add(a, failures{count: f.count + 1, last: now})
	}
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

// succeeded forgives the failures before it, unless it tells nothing new: others may have failed meanwhile.
func (t *throttle) succeeded(network, name string, given proof, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	here := attempt{network, throttleKey(name)}
	known, ok := t.trusted.Get(here)
	if !ok || known.proof != given || now.Sub(known.last) >= forgetAfter {
		t.names.Remove(here)
	}
	known.proof, known.last = given, now
	t.trusted.Add(here, known)
}
