// Package periodic does things again and again.
package periodic

import (
	"context"
	"time"
)

// Soon is how long after its start a daemon does what is done seldom: one that is started
// more often than that is due must do it, too.
const Soon = 5 * time.Minute

// Run calls do once in each interval until ctx ends, for the first time when the
// interval, or else Soon, is over.
func Run(ctx context.Context, interval time.Duration, do func(context.Context)) {
	run(ctx, interval, time.NewTimer, do)
}

func run(ctx context.Context, interval time.Duration, newTimer func(time.Duration) *time.Timer, do func(context.Context)) {
	for wait := min(interval, Soon); ; wait = interval {
		timer := newTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
			do(ctx)
		}
	}
}
