// Package requests is what the interfaces over HTTP have in common: how much one client
// may ask, a line in the log for each request, and streams of events.
package requests

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
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

// Limiter bounds the requests of each user and address. It is safe for concurrent use.
type Limiter struct {
	limits  Limits
	buckets *lru.Cache[string, *rate.Limiter]
}

// NewLimiter makes a Limiter; zero limits mean DefaultLimits.
func NewLimiter(l Limits) *Limiter {
	if l == (Limits{}) {
		l = DefaultLimits
	}
	buckets, _ := lru.New[string, *rate.Limiter](maxLimited) // only a size below one is an error
	return &Limiter{limits: l, buckets: buckets}
}

// limitError is a refusal that knows when to come back.
type limitError struct {
	error
	wait time.Duration
}

func (e limitError) Unwrap() error { return e.error }

// RetryAfter is how long to wait, in whole seconds.
func (e limitError) RetryAfter() time.Duration { return e.wait }

// SetRetryAfter tells a client that is limited when to come back, where the error knows.
func SetRetryAfter(h http.Header, err error) {
	var limited interface{ RetryAfter() time.Duration }
	if errors.As(err, &limited) {
		h.Set("Retry-After", strconv.Itoa(int(limited.RetryAfter().Seconds())))
	}
}

// Allow counts one request. An error has a RetryAfter. Errors: RateLimited.
func (l *Limiter) Allow(id catalog.Identity, address string, now time.Time) error {
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
