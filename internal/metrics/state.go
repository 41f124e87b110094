package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// stateTimeout bounds what one scrape asks of the daemon's parts.
const stateTimeout = 5 * time.Second

// Value is one number of a gauge, with the value of its label.
type Value struct {
	Label string
	Value float64
}

// Gauge is a state that is asked for at each scrape.
type Gauge struct {
	Name  string // without the prefix that all have
	Help  string
	Label string // "": there is one value
	// Read returns the values. One that fails is left out of the scrape, and logged.
	Read func(context.Context) ([]Value, error)
}

// Single makes the Read of a gauge with one value.
func Single(read func(context.Context) (float64, error)) func(context.Context) ([]Value, error) {
	return func(ctx context.Context) ([]Value, error) {
		v, err := read(ctx)
		return []Value{{Value: v}}, err
	}
}

// Watch adds gauges. Errors: two have one name, or one has a name that is not valid.
func (m *Metrics) Watch(gauges ...Gauge) error {
	if m == nil {
		return nil
	}
	for _, g := range gauges {
		var labels []string
		if g.Label != "" {
			labels = []string{g.Label}
		}
		if err := m.registry.Register(&watched{metrics: m, gauge: g, desc: prometheus.NewDesc(prefix+g.Name, g.Help, labels, nil)}); err != nil {
			return err
		}
	}
	return nil
}

// watched is a Gauge as Prometheus' registry has it.
type watched struct {
	metrics *Metrics
	gauge   Gauge
	desc    *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (w *watched) Describe(to chan<- *prometheus.Desc) { to <- w.desc }

// Collect implements prometheus.Collector.
func (w *watched) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), stateTimeout)
	defer cancel()
	values, err := w.gauge.Read(ctx)
	if err != nil {
		w.metrics.log.Warn("failed to read a metric", "name", prefix+w.gauge.Name, "error", err)
		return
	}
	for _, v := range values {
		var labels []string
		if w.gauge.Label != "" {
			labels = []string{v.Label}
		}
		to <- prometheus.MustNewConstMetric(w.desc, prometheus.GaugeValue, v.Value, labels...)
	}
}
