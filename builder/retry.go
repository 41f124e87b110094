package builder

import (
	"context"
	"fmt"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	// maxInterruptions is how many ends of this process a build may have been
	// running at: it might be the reason.
	maxInterruptions = 5
	// maxLosses is how often BuildKit may go away under a build, for the same reason.
	maxLosses = 10
	// maxLossDelay bounds the time between two of those.
	maxLossDelay = time.Minute
)

// laterDelays are the pauses before another try at what something elsewhere has
// failed, in units of Config.RetryDelay: two and a half minutes in all.
var laterDelays = []int{3, 8, 20, 45}

// tries counts how one build's attempts failed. It is forgotten when this process
// ends; the store counts the attempts that nothing is known of.
type tries struct {
	since                   time.Time // the first failure
	failures, losses, later int
}

func (t tries) any() bool { return t.failures+t.losses+t.later > 0 }

// triesOf returns what is known of a build's attempts.
func (b *Builder) triesOf(buildID int64) tries {
	b.queue.Lock()
	defer b.queue.Unlock()
	return b.tries[buildID]
}

// interrupted tells how often a build ended with the process that built it.
func (a *attempt) interrupted() int {
	return a.build.Attempts - 1 - a.builder.triesOf(a.build.ID).failures
}

// retry hands a build back that failed by no fault of its own, to be tried again
// after a pause. False: it was tried often enough, and failure may be changed to
// say so.
func (a *attempt) retry(ctx context.Context, failure *SolveError) (bool, error) {
	t := a.builder.triesOf(a.build.ID)
	if t.since.IsZero() {
		t.since = a.builder.now()
	}
	var delay time.Duration
	refund, how := true, ""
	switch failure.Retry {
	case RetryFree:
		if t.losses++; t.losses > maxLosses {
			failure.Message = fmt.Sprintf("BuildKit stopped %s while it ran this build, perhaps because of it; the last time: %s", times(t.losses), failure.Message)
			return false, nil
		}
		delay = min(a.builder.config.RetryDelay<<(t.losses-1), maxLossDelay)
	case RetryLater:
		if t.later++; t.later > len(laterDelays) {
			return false, nil
		}
		delay = a.builder.config.RetryDelay * time.Duration(laterDelays[t.later-1])
		if a.builder.now().Add(delay).Sub(t.since) > a.builder.settings.Load().Timeout {
			return false, nil
		}
	default:
		if t.failures++; t.failures >= a.builder.config.MaxAttempts {
			return false, nil
		}
		delay = a.builder.config.RetryDelay << (t.failures - 1)
		refund, how = false, fmt.Sprintf(" (attempt %d of %d)", t.failures+1, a.builder.config.MaxAttempts)
	}
	a.builder.queue.Lock()
	a.builder.tries[a.build.ID] = t
	a.builder.queue.Unlock()
	a.log.sayf("This is not your build's fault: %s. Trying again in %s%s", failure.Message, humanTime(delay), how)
	return true, a.release(ctx, a.builder.now().Add(delay), refund)
}

// forget drops what is known of an ended build's attempts.
func (b *Builder) forget(build catalog.Build) {
	b.queue.Lock()
	defer b.queue.Unlock()
	delete(b.tries, build.ID)
}
