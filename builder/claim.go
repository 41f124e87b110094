package builder

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// signal makes Run look at the queue.
func (b *Builder) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// reclaim takes back builds whose worker is gone.
func (b *Builder) reclaim(ctx context.Context) error {
	n, err := b.store.ReclaimBuilds(ctx, b.config.WorkerID, b.now())
	if err != nil {
		return fmt.Errorf("reclaim builds: %w", err)
	}
	if n > 0 {
		b.logger.Info("requeued builds whose worker is gone", "builds", n)
	}
	return nil
}

// claimAll starts builds while there are slots and builds; false means the
// store failed and should be asked again.
func (b *Builder) claimAll(ctx context.Context, builds *sync.WaitGroup) bool {
	for b.config.Room() == nil {
		started, err := b.claim(ctx, builds)
		if err != nil && ctx.Err() == nil {
			b.logger.Error("failed to claim a build", "error", err)
			pause(ctx, b.config.RetryDelay)
			return false
		}
		if !started {
			return true
		}
	}
	return true
}

// hold returns when builds may begin. Those that wait are told why they may not.
func (b *Builder) hold(ctx context.Context) {
	why := b.config.Room()
	if why != nil {
		b.sayHeld(ctx, why)
	}
	for ; why != nil && ctx.Err() == nil; why = b.config.Room() {
		timer := time.NewTimer(b.config.LeaseTime) // if nobody calls Wake
		select {
		case <-b.wake:
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// sayHeld tells the builds that wait, the first of them, why none begins.
func (b *Builder) sayHeld(ctx context.Context, why error) {
	waiting, err := b.store.WaitingBuilds(ctx, placesSaid)
	if err != nil {
		b.logger.Warn("failed to list the builds that wait", "error", err)
	}
	for _, build := range waiting {
		b.sayQueued(build, catalog.MessageOf(why))
	}
}

// claim starts the next build if there is one and a free slot.
func (b *Builder) claim(ctx context.Context, builds *sync.WaitGroup) (bool, error) {
	b.queue.Lock()
	defer b.queue.Unlock()
	busiest := math.MaxInt
	settings := b.settings.Load()
	if len(b.running) >= settings.Parallel {
		busiest = 0 // the spare slots
	}
	if len(b.running) >= settings.Parallel+settings.Spare || ctx.Err() != nil {
		return false, nil
	}
	now := b.now()
	build, err := b.store.ClaimBuild(ctx, b.config.WorkerID, busiest, now, now.Add(b.config.LeaseTime))
	if catalog.CodeOf(err) == catalog.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if earlier, ours := b.running[build.ID]; ours {
		// Our earlier attempt is just handing the build back, or lost its lease and has
		// not noticed yet. The store tells attempts apart by owner only, so it has to
		// go first.
		earlier.stop(errLeaseLost)
		return true, b.store.ReleaseBuild(ctx, build.ID, b.config.WorkerID, now.Add(b.config.RetryDelay), true)
	}
	// A build ends by its own causes, so that a shutdown can hand it back.
	buildCtx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	b.running[build.ID] = claimed{cancel, build.Image.Namespace}
	builds.Go(func() {
		defer cancel(nil)
		b.work(buildCtx, build)
	})
	return true, nil
}

// waitForWork returns when the queue may have something for us.
func (b *Builder) waitForWork(ctx context.Context) {
	// A lease ends without a signal, when this process slept through it.
	delay := b.config.LeaseTime
	if at, ok, err := b.store.NextWake(ctx); err != nil {
		if ctx.Err() == nil {
			b.logger.Error("failed to read the build queue", "error", err)
		}
		delay = time.Second
	} else if free, spare := b.freeSlots(); ok && free+spare > 0 {
		// Never zero: what is due but was not given is another's for a moment, or of
		// a namespace that spare slots are not for.
		soon := 10 * time.Millisecond
		if free <= 0 {
			soon = time.Second
		}
		delay = min(delay, max(at.Sub(b.now()), soon))
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-b.wake:
	case <-ctx.Done():
	case <-timer.C:
		if delay == b.config.LeaseTime {
			if err := b.reclaim(ctx); err != nil && ctx.Err() == nil {
				b.logger.Error("failed to look for builds without a worker", "error", err)
			}
		}
	}
}

// claimed is a build that we run.
type claimed struct {
	stop      context.CancelCauseFunc
	namespace string
}

// freeSlots returns how many builds of any namespace may start, and how many
// more of namespaces of which nothing runs. Less than none are free while spare slots are taken.
func (b *Builder) freeSlots() (free, spare int) {
	b.queue.Lock()
	defer b.queue.Unlock()
	settings := b.settings.Load()
	return settings.Parallel - len(b.running), settings.Spare
}

// freeSlotsOf returns how many builds of a namespace may start.
func (b *Builder) freeSlotsOf(namespace string) int {
	free, spare := b.freeSlots()
	if free > 0 || free+spare <= 0 || b.runsAny(namespace) {
		return free
	}
	return 1
}

func (b *Builder) runs(buildID int64) bool {
	b.queue.Lock()
	defer b.queue.Unlock()
	_, ours := b.running[buildID]
	return ours
}

func (b *Builder) runsAny(namespace string) bool {
	b.queue.Lock()
	defer b.queue.Unlock()
	for _, c := range b.running {
		if c.namespace == namespace {
			return true
		}
	}
	return false
}

// drain stops every running build; each hands itself back to the queue.
func (b *Builder) drain() {
	b.queue.Lock()
	defer b.queue.Unlock()
	for _, c := range b.running {
		c.stop(errDraining)
	}
	b.drained()
}
