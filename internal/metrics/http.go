package metrics

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fandoghpaas/fandogh/internal/requests"
)

// HTTP counts the requests of one interface. route names what a request is for, by one of a bounded number of
// names; nil: they are not told apart.
func (m *Metrics) HTTP(name string, route func(*http.Request) string, next http.Handler) http.Handler {
	if m == nil {
		return next
	}
	of := prometheus.Labels{"interface": name}
	count, duration, inFlight := m.requests.MustCurryWith(of), m.requestDuration.MustCurryWith(of), m.inFlight.With(of)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inFlight.Inc()
		defer inFlight.Dec()
		to, method := "", methodLabel(r.Method)
		if route != nil {
			to = route(r)
		}
		start, watched := time.Now(), &requests.Watched{ResponseWriter: w}
		next.ServeHTTP(watched, r)
		count.WithLabelValues(to, method, strconv.Itoa(cmp.Or(watched.Status, http.StatusOK))).Inc()
		duration.WithLabelValues(method).Observe(time.Since(start).Seconds())
	})
}

// methodLabel bounds what a client may make of a method.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return strings.ToLower(method)
	}
	return "unknown"
}
