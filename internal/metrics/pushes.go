package metrics

import "time"

// Pushed counts a git push: the bytes of its pack, the time until its refs had moved or nothing was done, and whether
// any ref of it was refused by then.
func (m *Metrics) Pushed(bytes int64, took time.Duration, refused bool) {
	if m == nil {
		return
	}
	m.pushes.WithLabelValues(pushResult(refused)).Inc()
	m.receivedBytes.Add(float64(bytes))
	m.receiveSeconds.Observe(took.Seconds())
}

func pushResult(refused bool) string {
	if refused {
		return "refused"
	}
	return "ok"
}
