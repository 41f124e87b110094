package buildkit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/hashicorp/go-hclog"
	"github.com/moby/buildkit/client"
	_ "github.com/moby/buildkit/util/grpcutil/encoding/proto" // what BuildKit's own programs talk: file names need not be UTF-8 in it
	"go.opentelemetry.io/otel/trace"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkit/dockerfile"
)

const (
	defaultLogLimit = 10 << 20
	// maxOutput bounds the memory that the output of all steps of one build takes in
	// BuildKit; it is far more than a log keeps.
	maxOutput = 256 << 20
	// cancelGrace is how long a cancelled solve may take to end by itself
	// before its connection is cut; the Solver contract allows one second.
	cancelGrace = 500 * time.Millisecond
	// publishTimeout bounds tagging an image whose layers are stored.
	publishTimeout  = 30 * time.Second
	idleConnections = 32
	notTaken        = "the image was built, but the registry did not take it"
)

// Config says how to reach BuildKit and the registry.
type Config struct {
	// Addresses returns where BuildKits are now: unix:///path or tcp://host:port.
	Addresses func() []string
	TLS       TLS // for tcp addresses
	// RegistryHost is host:port of Fandogh's own registry as BuildKit reaches it;
	// builds push there. Aliases are other names it has in Dockerfiles. A
	// build's credential goes to these hosts only.
	RegistryHost    string
	RegistryAliases []string
	PlainHTTP       bool              // the registry does not speak TLS
	Transport       http.RoundTripper // to the registry; nil: one of its own
	Disk            *Disk             // of a BuildKit on this machine; nil: not looked at
	Compression     string            // of new layers, Gzip or Zstd; empty: Gzip
	LogLimit        int64             // bytes of output kept of one build; 0: 10 MiB
	DiskFull        func() bool       // tells whether BuildKit's disk is; nil: it is not known
	// Frontends are images that "# syntax=" may name besides Docker's own, which is
	// built in up to a version.
	Frontends []string
	// TimesDir keeps, for each image, since when its files are what they are. Empty: it is
	// forgotten with the Solver.
	TimesDir string
	Logger   hclog.Logger
}

// Solver builds with BuildKit. It is safe for concurrent use.
type Solver struct {
	cfg         Config
	backends    *backends
	dockerfiles *dockerfile.Interpreter
	known       *knownLayers
	slots       chan struct{} // one for each layer that is on its way now
	times       *timesBook
	log         hclog.Logger
	output      int64 // maxOutput
}

var _ builder.Solver = (*Solver)(nil)

// New checks the configuration; it connects to nothing yet. Close the Solver when
// it is not used any more.
func New(cfg Config) (*Solver, error) {
	if cfg.Addresses == nil {
		return nil, errors.New("buildkit: Config.Addresses is missing")
	}
	if cfg.RegistryHost == "" || strings.Contains(cfg.RegistryHost, "/") {
		return nil, errors.New("buildkit: Config.RegistryHost must be host:port, without a scheme or path")
	}
	if cfg.LogLimit <= 0 {
		cfg.LogLimit = defaultLogLimit
	}
	if cfg.Compression == "" {
		cfg.Compression = Gzip
	}
	if _, ok := compressions[cfg.Compression]; !ok {
		return nil, fmt.Errorf("buildkit: Config.Compression %q is neither gzip nor zstd", cfg.Compression)
	}
	if cfg.Transport == nil {
		// Builds at once make several requests each; the default keeps two
		// connections to a host. Our own registry is behind no proxy.
		cfg.Transport = &http.Transport{MaxIdleConnsPerHost: idleConnections, IdleConnTimeout: time.Minute}
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	return &Solver{
		cfg:         cfg,
		log:         cfg.Logger,
		output:      maxOutput,
		known:       newKnownLayers(),
		times:       newTimesBook(cfg.TimesDir),
		slots:       make(chan struct{}, 2*runtime.GOMAXPROCS(0)),
		backends:    &backends{addresses: cfg.Addresses, tls: cfg.TLS, running: map[string]int{}},
		dockerfiles: dockerfile.New(dockerfile.Config{Frontends: cfg.Frontends, Logger: cfg.Logger}),
	}, nil
}

// Close ends the process that waits for the next Dockerfile.
func (s *Solver) Close() error {
	s.dockerfiles.Close()
	return nil
}

// Ping tells whether any BuildKit answers and can build. Errors: Unavailable.
func (s *Solver) Ping(ctx context.Context) error {
	_, release, err := s.backends.acquire(ctx)
	if err != nil {
		return err
	}
	release()
	return nil
}

// Solve implements builder.Solver.
func (s *Solver) Solve(ctx context.Context, r builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
	src, err := locate(r.Tree, r.Options)
	if err != nil {
		return builder.SolveResult{}, err
	}
	c, release, err := s.await(ctx, progress)
	if err != nil {
		return builder.SolveResult{}, err
	}
	defer release()
	if err := s.cfg.Disk.makeRoom(ctx, c.Client); err != nil {
		return builder.SolveResult{}, err
	}

	kills := s.cfg.Disk.killsSoFar()
	shelfCtx, clear := context.WithCancel(ctx)
	defer clear()
	out, err := s.newShelf(shelfCtx, r)
	if err != nil {
		return builder.SolveResult{}, infrastructure(err, "the registry can't be used")
	}
	view := newProgress(s.cfg.LogLimit, progress)
	view.diskFull = s.cfg.DiskFull
	response, err := s.run(ctx, c.Client, r, src, out, view)
	if ctx.Err() != nil {
		return builder.SolveResult{}, ctx.Err()
	}
	if err != nil && c.lost.Load() {
		lost := infrastructure(err, "BuildKit ended while it ran this build")
		lost.Retry = builder.RetryFree
		return builder.SolveResult{}, lost
	}
	if storing := out.failure(); err != nil && storing != nil {
		return builder.SolveResult{}, infrastructure(storing, notTaken)
	}
	if err != nil {
		s.log.Debug("solve failed", "image", r.Build.Image, "version", r.Build.Version, "error", err)
		if killed := s.cfg.Disk.killed(err, kills); killed != nil {
			return builder.SolveResult{}, killed
		}
		return builder.SolveResult{}, classify(err, view, circumstances{platform: r.Options.Platform, native: c.platform})
	}
	publishCtx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	publishCtx, span := trace.SpanFromContext(ctx).TracerProvider().Tracer("").Start(publishCtx, "push")
	defer span.End()
	result, err := out.publish(publishCtx, createdAt(r), response.ExporterResponse["containerimage.digest"])
	if ctx.Err() != nil {
		return builder.SolveResult{}, ctx.Err()
	}
	if err != nil {
		return builder.SolveResult{}, infrastructure(err, notTaken)
	}
	return result, nil
}

// await connects to a BuildKit, however long none answers: one that is being started
// again is no reason to fail a build. Its error is ctx's.
func (s *Solver) await(ctx context.Context, progress func(builder.Event)) (*connection, func(), error) {
	const firstPause, maxPause = 20 * time.Millisecond, time.Second
	waited := false
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		c, release, err := s.backends.acquire(ctx)
		if err == nil && waited {
			progress(builder.Event{Line: "BuildKit answers"})
		}
		if err == nil {
			return c, release, nil
		}
		if ctx.Err() == nil && !waited {
			waited = true
			s.log.Warn("a build waits for BuildKit", "error", err)
			progress(builder.Event{Line: "BuildKit does not answer; this build begins as soon as it does", Waits: "BuildKit did not answer"})
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// run solves, hands what happens to view, and returns soon after ctx ends.
func (s *Solver) run(ctx context.Context, c *client.Client, r builder.SolveRequest, src source, out *shelf, view *progress) (*client.SolveResponse, error) {
	// Ends with run, so that nobody reads the tree after Solve returned.
	solveCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(context.Canceled)
	type outcome struct {
		response *client.SolveResponse
		err      error
	}
	statuses := make(chan *client.SolveStatus)
	done := make(chan outcome, 1)
	times, closeTimes, err := s.times.open(tenantKey(r.Build))
	if err != nil {
		s.log.Warn("what was known of an image's files can't be read; all are taken for new", "image", r.Build.Image, "error", err)
	}
	defer closeTimes()
	files := &contextFS{ctx: solveCtx, fail: cancel, tree: r.Tree, root: src.contextDir, times: times.build()}
	front := &frontendClient{dockerfiles: s.dockerfiles, files: files, fail: cancel, shelf: out, view: view}
	go func() {
		options := s.solveOptions(r, src, mounts(files, r.Tree), out)
		response, err := c.Build(solveCtx, options, "", front.build, statuses)
		done <- outcome{response, err}
	}()
	// Solve hangs when nobody takes its statuses, and closes the channel at
	// its end. After a cancellation they are drained unseen.
	var cut <-chan time.Time
	cancelled := solveCtx.Done()
	for open := true; open; {
		select {
		case status, ok := <-statuses:
			if open = ok; ok && solveCtx.Err() == nil {
				view.update(status)
				if view.taken > s.output {
					cancel(userError("the steps of this build print more than the builder takes (%s); have them print less, or write to a file", units.BytesSize(float64(s.output))))
				}
			}
		case <-cancelled:
			cancelled = nil
			cut = time.After(cancelGrace)
		case <-cut:
			go drain(statuses)
			return nil, context.Cause(solveCtx)
		}
	}
	view.finish()
	end := <-done
	if cause := context.Cause(solveCtx); cause != nil {
		return nil, cause
	}
	return end.response, end.err
}

func drain(statuses <-chan *client.SolveStatus) {
	for range statuses {
	}
}

func (s *Solver) registryHosts() []string {
	return append([]string{s.cfg.RegistryHost}, s.cfg.RegistryAliases...)
}
