package metrics

import "github.com/fandoghpaas/fandogh/catalog"

// Retained counts what one run of retention removed: built and failed versions, the bytes of the images of the first, and logs.
func (m *Metrics) Retained(r catalog.Removed) {
	if m == nil {
		return
	}
	m.retained.WithLabelValues("built").Add(float64(r.Built))
	m.retained.WithLabelValues("failed").Add(float64(r.Failed))
	m.retained.WithLabelValues("log").Add(float64(r.Logs))
	m.retainedBytes.WithLabelValues("image").Add(float64(r.ImageBytes))
	m.retainedBytes.WithLabelValues("log").Add(float64(r.LogBytes))
}
