package rest

import (
	"fmt"
	"math"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Limits bound the requests of one user, and of one address while it does not
// say, or can't prove, who asks.
type Limits struct {
	PerSecond float64 // kept up for long
	Burst     int     // at once
}

// DefaultLimits leave room for many clients that poll every second.
var DefaultLimits = Limits{PerSecond: 100, Burst: 500}

// maxLimited is how many users and addresses are remembered.
const maxLimited = 10_000

// limiter is safe for concurrent use.
type limiter struct {
	limits  Limits
	buckets *lru.Cache[string, *rate.Limiter]
}

func newLimiter(l Limits) *limiter {
	buckets, _ := lru.New[string, *rate.Limiter](maxLimited) // only a size below one is an error
	return &limiter{limits: l, buckets: buckets}
}

// limitError is a refusal that knows when to come back.
type limitError struct {
	error
	wait time.Duration
}

func (e limitError) Unwrap() error { return e.error }

// RetryAfter is how long to wait, in whole seconds.
func (e limitError) RetryAfter() time.Duration { return e.wait }

// allow counts one request. Errors: RateLimited.
func (l *limiter) allow(id catalog.Identity, address string, now time.Time) error {
	key := fmt.Sprint("user ", id.User.ID)
	if id.User.ID == 0 {
		key = "address " + catalog.NetworkOf(address)
	}
	bucket, ok := l.buckets.Get(key)
	if !ok {
		bucket = rate.NewLimiter(rate.Limit(l.limits.PerSecond), l.limits.Burst)
		if earlier, found, _ := l.buckets.PeekOrAdd(key, bucket); found {
			bucket = earlier
		}
	}
	reservation := bucket.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	reservation.CancelAt(now)
	wait = time.Duration(math.Ceil(wait.Seconds())) * time.Second
	return limitError{catalog.Errorf(catalog.RateLimited, "too many requests; wait %d s and ask less often", int(wait.Seconds())), wait}
}
