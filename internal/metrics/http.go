package metrics

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/felixge/httpsnoop"
	"github.com/prometheus/client_golang/prometheus"
)

// HTTP counts the requests of one interface. route names what a request is for, by one of a bounded number of
// names; nil: they are not told apart.
func (m *Metrics) HTTP(name string, route func(*http.Request) string, next http.Handler) http.Handler {
	if m == nil {
		return next
	}
	of := prometheus.Labels{"interface": name}
	requests, duration, inFlight := m.requests.MustCurryWith(of), m.requestDuration.MustCurryWith(of), m.inFlight.With(of)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inFlight.Inc()
		defer inFlight.Dec()
		to, method := "", methodLabel(r.Method)
		if route != nil {
			to = route(r)
		}
		answer := httpsnoop.CaptureMetrics(next, w, r)
		requests.WithLabelValues(to, method, strconv.Itoa(answer.Code)).Inc()
		duration.WithLabelValues(method).Observe(answer.Duration.Seconds())
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
