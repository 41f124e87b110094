package rest

import (
	"net/http"
	"net/http/pprof"
	"strings"
)

const debugPrefix = "/debug/pprof/"

// profile shows administrators what the process does, by the runtime's own
// profiles: /debug/pprof/profile?seconds=10 is the processor's time, for
// `go tool pprof`.
func (c *call) profile() error {
	serve := pprof.Index // knows all that need no preparation by their names
	switch strings.TrimPrefix(c.r.URL.Path, debugPrefix) {
	case "cmdline":
		serve = pprof.Cmdline
	case "profile":
		serve = pprof.Profile
	case "symbol":
		serve = pprof.Symbol
	case "trace":
		serve = pprof.Trace
	}
	http.HandlerFunc(serve).ServeHTTP(c.w, c.r)
	return nil
}

// metrics shows administrators what the daemon counts.
func (c *call) metrics() error {
	c.server.config.Metrics.ServeHTTP(c.w, c.r)
	return nil
}
