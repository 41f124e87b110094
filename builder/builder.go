// Package builder turns queued builds into images: it leases builds from the
// durable queue in the catalog, hands each one's tree to a Solver, keeps its
// log, and records how it ended.
package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	lru "github.com/hashicorp/golang-lru/v2"
	"go.opentelemetry.io/otel/trace"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Builder runs the build queue. It implements catalog.BuildControl and
// catalog.BuildLogs.
type Builder struct {
	config   Config
	settings atomic.Pointer[Settings] // in force now
	store    Store
	logger   hclog.Logger
	now      func() time.Time
	logs     *logbook
	wake     chan struct{} // holds one token: look at the queue again
	down     chan struct{} // closed when Run has handed everything back
	// draining ends when Run begins to hand back; drained ends it.
	draining context.Context
	drained  context.CancelFunc

	tags tagLocks // locked before queue
	// queue is held for one write of the store at most: every push and every end
	// of a build waits for it.
	queue   sync.Mutex
	running map[int64]claimed // builds claimed by us
	tries   map[int64]tries   // failed attempts at builds that have not ended
	steps   sync.Map          // *stepSet of each build that runs, by its ID

	requestSpans *lru.Cache[int64, trace.SpanContext] // what asked for a build, by its ID
	diagnoses    *lru.Cache[int64, catalog.Diagnosis] // of builds that have ended
	diagnosing   chan struct{}                        // holds a token for each that is made
}

// New returns a Builder; Run makes it work.
func New(config Config) (*Builder, error) {
	if err := config.setDefaults(); err != nil {
		return nil, err
	}
	logs, err := newLogbook(config.LogDir)
	if err != nil {
		return nil, err
	}
	draining, drained := context.WithCancel(context.Background())
	requestSpans, _ := lru.New[int64, trace.SpanContext](maxRequestSpans) // only a size below one is an error
	diagnoses, _ := lru.New[int64, catalog.Diagnosis](keptDiagnoses)
	b := &Builder{
		requestSpans: requestSpans, diagnoses: diagnoses, diagnosing: make(chan struct{}, diagnoseAtOnce),
		config: config, store: config.Store, logger: config.Logger, now: config.Now, logs: logs,
		wake: make(chan struct{}, 1), down: make(chan struct{}), draining: draining, drained: drained, running: map[int64]claimed{}, tries: map[int64]tries{},
	}
	b.settings.Store(&config.Settings)
	return b, nil
}

// Change replaces the settings. Builds that run keep the limits that they began with.
func (b *Builder) Change(s Settings) {
	b.settings.Store(&s)
	b.signal() // there may be more slots
}

// Run works on the queue until ctx ends; then it hands running builds back to
// the queue and returns nil once that is recorded. It first takes back the
// builds that an earlier process left. Call it once.
func (b *Builder) Run(ctx context.Context) error {
	defer close(b.down)
	if err := b.reclaim(ctx); err != nil {
		return err
	}
	var builds sync.WaitGroup
	for ctx.Err() == nil {
		b.hold(ctx)
		if b.claimAll(ctx, &builds) {
			b.waitForWork(ctx)
		}
	}
	b.drain()
	builds.Wait()
	if err := b.logs.closeIdle(); err != nil {
		b.logger.Warn("failed to close build logs", "error", err)
	}
	return nil
}

// Submit queues builds, all or none, and starts them as soon as there is room. It looks at the signatures of tags
// that were not looked at yet. Errors: those of catalog.Builds.QueueBuilds.
func (b *Builder) Submit(ctx context.Context, builds []catalog.NewBuild) ([]catalog.QueuedBuild, error) {
	builds, err := b.verifyTags(ctx, builds)
	if err != nil {
		return nil, err
	}
	wanted := make([]tagKey, len(builds))
	for i, build := range builds {
		wanted[i] = tagKey{cmp.Or(build.SourceID, build.ImageID), cmp.Or(build.Tag, build.Version)}
	}
	defer b.tags.lock(wanted...)() // a build that is claimed meanwhile begins afterwards
	queued, err := b.store.QueueBuilds(ctx, builds)
	if err != nil {
		return nil, err
	}
	b.rememberRequest(ctx, queued)
	b.sayWaiting(ctx, queued)
	b.signal()
	return queued, nil
}

// placesSaid is of how many builds that are queued together the places are looked up: that reads the whole queue.
const placesSaid = 20

// sayWaiting writes into the logs of builds that do not start at once where they stand, and why.
func (b *Builder) sayWaiting(ctx context.Context, queued []catalog.QueuedBuild) {
	held := b.config.Room() != nil
	free, started := map[string]int{}, map[string]bool{}
	said := 0
	pause, err := b.store.QueuePause(ctx)
	if err != nil {
		b.logger.Warn("failed to find out whether the queue is paused", "error", err)
	}
	for _, q := range queued {
		if q.Attached {
			continue
		}
		namespace := q.Image.Namespace
		if _, ok := free[namespace]; !ok {
			free[namespace], started[namespace] = b.freeSlotsOf(namespace), b.runsAny(namespace)
		}
		if b.runs(q.ID) {
			continue
		}
		free[namespace]--
		// Only what runs of a namespace can keep the next of it waiting while slots are free.
		noSlot := held || pause.Paused() || free[namespace] < 0
		switch {
		case said == placesSaid && noSlot:
			b.sayQueued(q.Build, "behind others of the same push")
		case said < placesSaid && (noSlot || started[namespace]):
			said++
			b.sayPlace(ctx, q.Build, noSlot)
		}
		started[namespace] = true
	}
}

// sayPlace writes into a build's log where it stands. A build for which there is a slot waits only where its namespace runs as many
// as it may.
func (b *Builder) sayPlace(ctx context.Context, build catalog.Build, noSlot bool) {
	place, err := b.Queued(ctx, build.ID)
	if catalog.CodeOf(err) == catalog.NotFound || err == nil && !noSlot && !place.NamespaceIsFull() {
		return
	}
	if err != nil {
		b.logger.Warn("failed to find a build's place in the queue", "build", build.ID, "error", err)
		return
	}
	b.sayQueued(build, fmt.Sprintf("place %d of %d in the queue; %s", place.Place, place.Waiting, place.Why))
}

func (b *Builder) sayQueued(build catalog.Build, where string) {
	log := b.openLog(build)
	defer log.release() // not on disk yet: a push may queue hundreds, and the worker's lines follow
	log.sayf("Queued %s:%s: %s; this one starts when its turn comes", build.Image, build.Version, where)
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Why a build's context ended.
var (
	errCancelled = errors.New("cancelled")
	errTimeout   = errors.New("timed out")
	errDraining  = errors.New("shutting down")
	errLeaseLost = errors.New("lease lost")
	// errInterrupted is final, as is a time that is up.
	errInterrupted = errors.New("the build was interrupted")
)
