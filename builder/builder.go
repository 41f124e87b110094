// Package builder turns queued builds into images: it leases builds from the
// durable queue in the catalog, hands each one's tree to a Solver, keeps its
// log, and records how it ended.
package builder

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
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
	// Version is as catalog.Versions has it.
	Version(ctx context.Context, imageID int64, name string) (catalog.Version, error)
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
	Secrets     Secrets // nil: there are none
	// RegistryHost returns "host:port" of the registry as the Solver reaches it.
	RegistryHost func() string
	// PublicRegistry returns "host:port" as users write it in references; nil:
	// RegistryHost.
	PublicRegistry func() string
	LogDir         string // one file a build, made when missing
	WorkerID       string // names this process in leases; unique to each start
	Parallel       int    // builds at once
	// Spare is how many more run at once for namespaces of which nothing runs: one
	// that fills all slots leaves some to the others.
	Spare int
	// Submodules finds the submodules of builds; nil: they are refused.
	Submodules Submodules
	// Labels is what BuildOptions.Labels is where a repository leaves it open.
	Labels      string
	Timeout     time.Duration // of one attempt
	MaxAttempts int           // at a build that our infrastructure fails; 0: 3
	RetryDelay  time.Duration // before the second attempt, doubled for each after; 0: 2 seconds
	LeaseTime   time.Duration // how long a build stays ours without a sign of life; 0: 1 minute
	Tracer      trace.Tracer  // nil: nothing is traced
	Logger      hclog.Logger
	Now         func() time.Time
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
	config Config
	store  Store
	logger hclog.Logger
	now    func() time.Time
	logs   *logbook
	wake   chan struct{} // holds one token: look at the queue again
	down   chan struct{} // closed when Run has handed everything back

	versions versionLocks // locked before queue
	// queue is held for one write of the store at most: every push and every end
	// of a build waits for it.
	queue   sync.Mutex
	running map[int64]claimed // builds claimed by us
	tries   map[int64]tries   // failed attempts at builds that have not ended

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
	requestSpans, _ := lru.New[int64, trace.SpanContext](maxRequestSpans) // only a size below one is an error
	return &Builder{
		requestSpans: requestSpans,
		config:       config, store: config.Store, logger: config.Logger, now: config.Now, logs: logs,
		wake: make(chan struct{}, 1), down: make(chan struct{}), running: map[int64]claimed{}, tries: map[int64]tries{},
	}, nil
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

// Submit queues builds, all or none, and starts them as soon as there is room.
// Errors: those of catalog.Builds.QueueBuilds.
func (b *Builder) Submit(ctx context.Context, builds []catalog.NewBuild) ([]catalog.QueuedBuild, error) {
	wanted := make([]versionKey, len(builds))
	for i, build := range builds {
		wanted[i] = versionKey{build.ImageID, build.Version}
	}
	defer b.versions.lock(wanted...)() // a build that is claimed meanwhile begins afterwards
	queued, err := b.store.QueueBuilds(ctx, builds)
	if err != nil {
		return nil, err
	}
	b.rememberRequest(ctx, queued)
	free := map[string]int{}
	for _, q := range queued {
		if q.Attached {
			continue
		}
		namespace := q.Image.Namespace
		if _, ok := free[namespace]; !ok {
			free[namespace] = b.freeSlotsOf(namespace)
		}
		if b.runs(q.ID) {
			continue
		}
		if free[namespace]--; free[namespace] < 0 {
			b.sayWaiting(q.Build)
		}
	}
	b.signal()
	return queued, nil
}

func (b *Builder) sayWaiting(build catalog.Build) {
	log := b.openLog(build)
	defer log.release() // not on disk yet: a push may queue hundreds, and the worker's lines follow
	log.sayf("Queued %s:%s: the server runs at most %s at once; this one starts when its turn comes", build.Image, build.Version, plural(b.config.Parallel, "build"))
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
	for {
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
}

// claim starts the next build if there is one and a free slot.
func (b *Builder) claim(ctx context.Context, builds *sync.WaitGroup) (bool, error) {
	b.queue.Lock()
	defer b.queue.Unlock()
	busiest := math.MaxInt
	if len(b.running) >= b.config.Parallel {
		busiest = 0 // the spare slots
	}
	if len(b.running) >= b.config.Parallel+b.config.Spare || ctx.Err() != nil {
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
	return b.config.Parallel - len(b.running), b.config.Spare
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
