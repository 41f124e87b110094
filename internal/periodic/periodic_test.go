package periodic

import (
	"context"
	"slices"
	"testing"
	"time"
)

func TestTheFirstTimeIsSoon(t *testing.T) {
	for _, c := range []struct{ interval, first time.Duration }{{6 * time.Hour, Soon}, {time.Minute, time.Minute}} {
		ctx, cancel := context.WithCancel(t.Context())
		var waits []time.Duration
		newTimer := func(d time.Duration) *time.Timer {
			waits = append(waits, d)
			return time.NewTimer(0)
		}
		calls := 0
		run(ctx, c.interval, newTimer, func(context.Context) {
			if calls++; calls == 3 {
				cancel()
			}
		})
		want := []time.Duration{c.first, c.interval, c.interval}
		if len(waits) < 3 || !slices.Equal(waits[:3], want) || calls < 3 {
			t.Errorf("waited %v, want %v; %d calls", waits, want, calls)
		}
	}
}
