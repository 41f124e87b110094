// Package metrics counts what the daemon does, for Prometheus. Its instruments stand between the parts, where these
// meet: around HTTP handlers, the store, and the receiver of pushes. What is a state and not a count is asked for at
// each scrape.
//
// No label has a value that users choose, so that the number of series is bounded.
package metrics

import (
	"net/http"
	"runtime"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fandoghpaas/fandogh/catalog"
)

// prefix begins the names of all metrics but those of the Go runtime and the process.
const prefix = "fandogh_"

var (
	// builds take from tenths of seconds to an hour.
	buildSeconds = []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600}
	// requests take from milliseconds to the time of a large push.
	requestSeconds = []float64{.005, .025, .1, .5, 2.5, 10, 60, 300}
)

// Metrics is every instrument of one daemon. It is safe for concurrent use. nil counts nothing, at no cost.
type Metrics struct {
	registry *prometheus.Registry
	log      hclog.Logger

	requests        *prometheus.CounterVec
	requestDuration *prometheus.HistogramVec
	inFlight        *prometheus.GaugeVec

	queued        *prometheus.CounterVec
	ended         *prometheus.CounterVec
	buildWait     prometheus.Histogram
	buildDuration *prometheus.HistogramVec
	jobs          *prometheus.CounterVec

	pushes         *prometheus.CounterVec
	receivedBytes  prometheus.Counter
	receiveSeconds prometheus.Histogram

	retained      *prometheus.CounterVec
	retainedBytes *prometheus.CounterVec
}

// New returns instruments that have counted nothing yet; version is the program's.
func New(version string, log hclog.Logger) *Metrics {
	m := &Metrics{
		registry:        prometheus.NewRegistry(),
		log:             log,
		requests:        counters("http_requests_total", "HTTP requests that were answered.", "interface", "route", "method", "code"),
		requestDuration: histograms("http_request_duration_seconds", "How long HTTP requests took, with their bodies.", requestSeconds, "interface", "method"),
		inFlight:        prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + "http_requests_in_flight", Help: "HTTP requests that are being served."}, []string{"interface"}),
		queued:          counters("builds_queued_total", "Builds that were asked for.", "trigger"),
		ended:           counters("builds_total", "Builds that ended.", "outcome"),
		buildWait:       histogram("build_wait_seconds", "How long builds waited for their first attempt.", buildSeconds),
		buildDuration:   histograms("build_duration_seconds", "How long the last attempt of builds took.", buildSeconds, "outcome"),
		jobs:            counters("jobs_total", "Attempts at small durable work, such as webhook deliveries.", "kind", "result"),
		pushes:          counters("pushes_total", "Git pushes that were received, by whether all of their refs were taken.", "result"),
		receivedBytes:   prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "push_received_bytes_total", Help: "Bytes of the packs of git pushes."}),
		retained:        counters("retention_removed_total", "What retention has removed: built and failed versions, logs.", "kind"),
		retainedBytes:   counters("retention_removed_bytes_total", "What that was in bytes: of images with the layers that others need, which stay, and of logs.", "kind"),
		receiveSeconds:  histogram("push_receive_seconds", "How long git pushes took until their refs had moved, without their builds.", requestSeconds),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: prefix + "build_info", Help: "What the program was built from; always 1.", ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	info.Set(1)
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), info,
		m.requests, m.requestDuration, m.inFlight, m.queued, m.ended, m.buildWait, m.buildDuration, m.jobs, m.pushes, m.receivedBytes, m.receiveSeconds, m.retained, m.retainedBytes,
	)
	m.beginAtZero()
	return m
}

// beginAtZero makes the counters of which all labels are known: Prometheus sees no increase in one that begins at 1, as at the first build that fails.
func (m *Metrics) beginAtZero() {
	for _, outcome := range catalog.Outcomes {
		m.ended.WithLabelValues(string(outcome))
	}
	for _, trigger := range catalog.Triggers {
		m.queued.WithLabelValues(string(trigger))
	}
	for _, refused := range []bool{false, true} {
		m.pushes.WithLabelValues(pushResult(refused))
	}
	m.Retained(catalog.Removed{})
}

// Describe tells of every metric, by its name and labels, also of those without a value yet.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) { m.registry.Describe(to) }

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: prefix + name, Help: help, Buckets: buckets})
}

func histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + name, Help: help, Buckets: buckets}, labels)
}

// Handler serves what was counted, in Prometheus' formats. It is nil where nothing is.
func (m *Metrics) Handler() http.Handler {
	if m == nil {
		return nil
	}
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: m.log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Warn}), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
	})
}
