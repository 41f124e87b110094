package rest

import (
	"fmt"
	"math"
	"net/netip"
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
	seconds int
}

func (e limitError) Unwrap() error { return e.error }

// allow counts one request. Errors: RateLimited.
func (l *limiter) allow(id catalog.Identity, address string, now time.Time) error {
	key := fmt.Sprint("user ", id.User.ID)
	if id.User.ID == 0 {
		key = "address " + network(address)
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
	seconds := int(math.Ceil(wait.Seconds()))
	return limitError{catalog.Errorf(catalog.RateLimited, "too many requests; wait %d s and ask less often", seconds), seconds}
}

// network returns what one client can't change at will: its IPv4 address, or the
// 64 bits of an IPv6 address that its provider gave it.
func network(remote string) string {
	address, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	ip := address.Addr().Unmap().WithZone("")
	if ip.Is6() {
		if prefix, err := ip.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return ip.String()
}
