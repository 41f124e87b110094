package metrics

import (
	"context"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type routeKey struct{}

// HTTP counts the requests of one interface. route names what a request is for, by one of a bounded number of
// names; nil: they are not told apart.
func (m *Metrics) HTTP(name string, route func(*http.Request) string, next http.Handler) http.Handler {
	if m == nil {
		return next
	}
	of := prometheus.Labels{"interface": name}
	handler := promhttp.InstrumentHandlerCounter(m.requests.MustCurryWith(of), next, promhttp.WithLabelFromCtx("route", func(ctx context.Context) string {
		name, _ := ctx.Value(routeKey{}).(string)
		return name
	}))
	handler = promhttp.InstrumentHandlerDuration(m.requestDuration.MustCurryWith(of), handler)
	handler = promhttp.InstrumentHandlerInFlight(m.inFlight.With(of), handler).ServeHTTP
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if route != nil {
			r = r.WithContext(context.WithValue(r.Context(), routeKey{}, route(r)))
		}
		handler(w, r)
	})
}
