// Package builder turns queued builds into images: it leases builds from the
// durable queue in the catalog, hands each one's tree to a Solver, keeps its
// log, and records how it ended.
package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	lru "github.com/hashicorp/golang-lru/v2"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Store is what the builder needs of catalog.Store.
type Store interface {
	catalog.Builds
	// Version and TagVersions are as catalog.Versions has them.
	Version(ctx context.Context, imageID int64, name string) (catalog.Version, error)
	// ImageByID is as catalog.Images has it.
	ImageByID(ctx context.Context, imageID int64) (catalog.Image, error)
	// VersionByRecipe is as catalog.Versions has it.
	VersionByRecipe(ctx context.Context, imageID int64, recipe string) (catalog.Version, error)
	// ListVersions is as catalog.Versions has it.
	ListVersions(ctx context.Context, imageID int64, f catalog.VersionFilter) ([]catalog.Version, error)
	TagVersions(ctx context.Context, sourceID int64, tag string) ([]catalog.Version, error)
	// NamespaceLimits is as catalog.NamespaceSettings has it.
	NamespaceLimits(ctx context.Context, namespace string) (catalog.NamespaceLimits, error)
	// Tombstone is as catalog.Tombstones has it.
	Tombstone(ctx context.Context, imageID int64, version string) (catalog.Tombstone, error)
}

// Credentials makes registry credentials that live as long as one build.
type Credentials interface {
	// Issue returns a credential limited to grant, and what ends it.
	Issue(grant catalog.BuildGrant) (credential Credential, revoke func())
}

// Secrets gives builds what their namespace keeps for them.
type Secrets interface {
	// ForBuild returns the values and SSH keys for a build's steps. A build of what others than members of the
	// namespace wrote must not be asked for.
	ForBuild(ctx context.Context, b catalog.Build) ([]catalog.OpenSecret, error)
}

// Submodules finds the repositories of submodules; hooks/submodules does.
type Submodules interface {
	// Find returns where the submodule of a URL is for a build; base is the URL of the repository that names it, "" for the
	// build's own. Errors: Invalid.
	Find(ctx context.Context, build catalog.Build, base, url string) (catalog.SubmoduleSource, error)
}

// Config is what a Builder is made of. Store, Sources, Solver, Credentials,
// RegistryHost, LogDir, WorkerID, Parallel and Timeout are required.
type Config struct {
	Store       Store
	Sources     catalog.Sources
	Solver      Solver
	Credentials Credentials
	Secrets     Secrets             // nil: there are none
	Tags        catalog.TagVerifier // nil: nothing is known of tags
	// RegistryHost returns "host:port" of the registry as the Solver reaches it.
	RegistryHost func() string
	// PublicRegistry returns "host:port" as users write it in references; nil:
	// RegistryHost.
	PublicRegistry func() string
	LogDir         string // one file a build, made when missing
	WorkerID       string // names this process in leases; unique to each start
	// Submodules finds the submodules of builds; nil: they are refused.
	Submodules Submodules
	// Labels is what BuildOptions.Labels is where a repository leaves it open.
	Labels string
	Settings
	// Room says why no build may begin now, nil where any may; Wake is to be called when that changes. nil: any may.
	Room        func() error
	MaxAttempts int           // at a build that our infrastructure fails; 0: 3
	RetryDelay  time.Duration // before the second attempt, doubled for each after; 0: 2 seconds
	LeaseTime   time.Duration // how long a build stays ours without a sign of life; 0: 1 minute
	Tracer      trace.Tracer  // nil: nothing is traced
	Logger      hclog.Logger
	Now         func() time.Time
}

// Settings may be changed while a Builder runs.
type Settings struct {
	Parallel int // builds at once
	// Spare is how many more run at once for namespaces of which nothing runs: one
	// that fills all slots leaves some to the others.
	Spare   int
	Timeout time.Duration // of one attempt, at most
	// Ceiling is the most that any build may use, and Limits what one may where its namespace has no other.
	Ceiling, Limits catalog.BuildLimits
}

func (c *Config) setDefaults() error {
	for name, missing := range map[string]bool{
		"Store": c.Store == nil, "Sources": c.Sources == nil, "Solver": c.Solver == nil, "Credentials": c.Credentials == nil,
		"RegistryHost": c.RegistryHost == nil, "LogDir": c.LogDir == "", "WorkerID": c.WorkerID == "",
		"Parallel": c.Parallel <= 0, "Timeout": c.Timeout <= 0,
	} {
		if missing {
			return fmt.Errorf("builder: Config.%s is required", name)
		}
	}
	if c.PublicRegistry == nil {
		c.PublicRegistry = c.RegistryHost
	}
	if c.Tracer == nil {
		c.Tracer = noop.NewTracerProvider().Tracer("")
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Room == nil {
		c.Room = func() error { return nil }
	}
	setDefault(&c.MaxAttempts, 3)
	setDefault(&c.RetryDelay, 2*time.Second)
	setDefault(&c.LeaseTime, time.Minute)
	return nil
}

func setDefault[T int | time.Duration](to *T, value T) {
	if *to <= 0 {
		*to = value
	}
}

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
	b := &Builder{
		requestSpans: requestSpans,
		config:       config, store: config.Store, logger: config.Logger, now: config.Now, logs: logs,
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
