package mirror

import (
	"net/http"
	"testing"
	"time"
)

// A host that says when to come again is not asked before, within bounds, for what is kept.
func TestRetryAfterIsHonoured(t *testing.T) {
	for text, wait := range map[string]time.Duration{
		"120": 2 * time.Minute, "1": restAfterFailure, "0": restAfterFailure, "": restAfterFailure, "soon": restAfterFailure, "-5": restAfterFailure,
		"999999999": maxRest, "99999999999999999999": restAfterFailure,
		"Tue, 05 May 2026 12:12:00 GMT": 2 * time.Minute, "Tue, 05 May 2026 11:00:00 GMT": restAfterFailure, "Tue, 05 May 2099 11:00:00 GMT": maxRest,
	} {
		for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
			w := newWorld(t, nil)
			image := made(t, 1<<10)
			w.remote.push(t, "a/b:1", image)
			w.pull("a/b", "1", image)
			w.pass(10 * time.Minute) // what is kept is to be looked at again
			w.remote.fails(func(rw http.ResponseWriter, _ *http.Request) bool {
				rw.Header().Set("Retry-After", text)
				rw.WriteHeader(status)
				return true
			})
			asked := func() bool {
				w.remote.requests()
				w.pull("a/b", "1", image)
				return len(w.remote.requests()) > 0
			}
			if !asked() {
				t.Fatal("it was not asked at all")
			}
			w.pass(wait - time.Second)
			if asked() {
				t.Errorf("%q: it was asked before", text)
			}
			w.pass(2 * time.Second)
			if !asked() {
				t.Errorf("%q: it was not asked afterwards", text)
			}
		}
	}
}
