package buildkit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/session/filesync"
	"github.com/moby/buildkit/solver/pb"

	"github.com/docker/go-units"
	"github.com/hashicorp/go-hclog"
	"github.com/moby/buildkit/client"
	_ "github.com/moby/buildkit/util/grpcutil/encoding/proto" // what BuildKit's own programs talk: file names need not be UTF-8 in it
	"go.opentelemetry.io/otel/trace"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkit/dockerfile"
	"github.com/fandoghpaas/fandogh/builder/buildkit/export"
	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	// maxOutput bounds the memory that the output of all steps of one build takes in
	// BuildKit; it is far more than a log keeps.
	maxOutput = 256 << 20
	// cancelGrace is how long a cancelled solve may take to end by itself
	// before its connection is cut; the Solver contract allows one second.
	cancelGrace = 500 * time.Millisecond
	// publishTimeout bounds tagging an image whose layers are stored.
	publishTimeout  = 30 * time.Second
	idleConnections = 32
	notTaken        = "the image was built, but storing it in the registry failed"
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
	Disk            Disk              // of a BuildKit on this machine; nil: not looked at
	Compression     string            // of new layers, export.Gzip or export.Zstd; empty: Gzip
	LogLimit        int64             // bytes of output kept of one build; 0: 10 MiB
	// Frontends are images that "# syntax=" may name besides Docker's own, which is
	// built in up to a version.
	Frontends []string
	// Accounts are what builds log in to other registries with; nil: none. Only a BuildKit that asks
	// before it uses what it has in its cache is given any.
	Accounts builder.Accounts
	// Mirror stands between BuildKit and other registries; nil: it asks them itself.
	Mirror Mirror
	// Refuses reports whether BuildKit is kept from an address; nil: from none.
	Refuses func(netip.AddrPort) bool
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
	exporter    *export.Exporter
	times       *timesBook
	contexts    *contextKeys
	seen        *dockerfile.SeenDirs
	pulls       *pulls
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
		cfg.LogLimit = builder.MaxOutput
	}
	if cfg.Compression == "" {
		cfg.Compression = export.Gzip
	}
	if cfg.Transport == nil {
		// Builds at once make several requests each; the default keeps two
		// connections to a host. Our own registry is behind no proxy.
		cfg.Transport = &http.Transport{MaxIdleConnsPerHost: idleConnections, IdleConnTimeout: time.Minute}
	}
	if cfg.Disk == nil {
		cfg.Disk = unwatched{}
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	exporter, err := export.New(export.Config{PlainHTTP: cfg.PlainHTTP, Transport: cfg.Transport, Compression: cfg.Compression})
	if err != nil {
		return nil, fmt.Errorf("buildkit: %w", err)
	}
	return &Solver{
		cfg:         cfg,
		log:         cfg.Logger,
		output:      maxOutput,
		exporter:    exporter,
		times:       newTimesBook(cfg.TimesDir),
		contexts:    newContextKeys(),
		seen:        dockerfile.NewSeenDirs(),
		pulls:       newPulls(cfg),
		backends:    &backends{addresses: cfg.Addresses, tls: cfg.TLS, running: map[string]int{}},
		dockerfiles: dockerfile.New(dockerfile.Config{Frontends: cfg.Frontends, Logger: cfg.Logger}),
	}, nil
}

// Close ends the process that waits for the next Dockerfile.
func (s *Solver) Close() error {
	s.dockerfiles.Close()
	return nil
}

// Ping reports whether any BuildKit answers and can build. Errors: Unavailable.
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
	view := newProgress(s.cfg.LogLimit, progress)
	secrets, err := newBuildSecrets(r.Secrets, view.note)
	if err != nil {
		return builder.SolveResult{}, err
	}
	view.hide(secrets)
	view.disk = s.cfg.Disk
	result, err := s.solve(ctx, r, secrets, view)
	return result, secrets.hide(err)
}

func (s *Solver) solve(ctx context.Context, r builder.SolveRequest, secrets *buildSecrets, view *progress) (builder.SolveResult, error) {
	src, err := sourceOf(ctx, r)
	if err != nil {
		return builder.SolveResult{}, err
	}
	c, release, err := s.await(ctx, view.emit)
	if err != nil {
		return builder.SolveResult{}, err
	}
	defer release()
	if err := s.cfg.Disk.MakeRoom(ctx, c.Client); err != nil {
		return builder.SolveResult{}, err
	}

	kills := s.cfg.Disk.Kills()
	exportCtx, clear := context.WithCancel(ctx)
	defer clear()
	out, err := s.exporter.Store(exportCtx, export.Image{Destination: r.Destination, Credential: r.Credential, Dated: datedAt(r), Labels: labels(r), Annotations: annotations(r)})
	if err != nil {
		return builder.SolveResult{}, infrastructure(err, "the registry can't be used")
	}
	response, err := s.run(ctx, c.Client, r, src, out, secrets, view)
	if err != nil && (ctx.Err() != nil || c.lost.Load()) {
		s.contexts.renew(tenantKey(r.Build.Image, r.Build.ImageID))
	}
	if ctx.Err() != nil {
		return builder.SolveResult{}, ctx.Err()
	}
	if err != nil && c.lost.Load() {
		lost := infrastructure(err, "BuildKit stopped while it ran this build")
		lost.Retry = builder.RetryFree
		return builder.SolveResult{}, lost
	}
	if storing := out.Failure(); err != nil && storing != nil {
		return builder.SolveResult{}, infrastructure(storing, notTaken)
	}
	if err != nil {
		s.log.Debug("solve failed", "image", r.Build.Image, "version", r.Build.Version, "error", err)
		if killed := diskKill(s.cfg.Disk, err, kills); killed != nil {
			return builder.SolveResult{}, killed
		}
		return builder.SolveResult{}, classify(err, view, circumstances{platform: r.Options.Platform, native: c.platform, refuses: s.cfg.Refuses})
	}
	publishCtx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	publishCtx, span := trace.SpanFromContext(ctx).TracerProvider().Tracer("").Start(publishCtx, "push")
	defer span.End()
	result, err := out.Publish(publishCtx, createdAt(r), response.ExporterResponse["containerimage.digest"])
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
			progress(builder.Event{Line: "BuildKit is responding"})
		}
		if err == nil {
			return c, release, nil
		}
		if ctx.Err() == nil && !waited {
			waited = true
			s.log.Warn("a build is waiting for BuildKit", "error", err)
			progress(builder.Event{Line: "BuildKit is not responding; this build starts as soon as it does", Waits: "BuildKit did not respond"})
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// ForgetImage removes what is known of an image that is gone.
func (s *Solver) ForgetImage(image catalog.ImageRef, imageID int64) error {
	key := tenantKey(image, imageID)
	s.contexts.forget(key)
	return s.times.forget(key)
}

// run solves, hands what happens to view, and returns soon after ctx ends.
func (s *Solver) run(ctx context.Context, c *client.Client, r builder.SolveRequest, src source, out *export.Store, secrets *buildSecrets, view *progress) (*client.SolveResponse, error) {
	// Ends with run, so that nothing reads the tree after Solve returned.
	solveCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(context.Canceled)
	type outcome struct {
		response *client.SolveResponse
		err      error
	}
	statuses := make(chan *client.SolveStatus)
	done := make(chan outcome, 1)
	times, closeTimes, err := s.times.open(tenantKey(r.Build.Image, r.Build.ImageID))
	if err != nil {
		s.log.Warn("failed to read the file times of an image; all its files count as new", "image", r.Build.Image, "error", err)
	}
	defer closeTimes()
	files := &contextFS{ctx: solveCtx, fail: cancel, tree: r.Tree, root: src.contextDir, times: times.build()}
	whole := files.whole(r.Tree)
	build := dockerfile.Build{Context: files, Whole: whole, Fail: cancel, Store: out, Seen: s.seen, Secrets: secrets.mounts, Did: view.did}
	account := &registryAuth{hosts: s.registryHosts(), credential: r.Credential, accounts: s.cfg.Accounts, namespace: r.Build.Image.Namespace}
	interpret := func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		o := c.BuildOpts()
		account.mayLogIn.Store(o.LLBCaps.Supports(pb.CapSourcePolicySession) == nil)
		return s.dockerfiles.Build(ctx, c, build)
	}
	go func() {
		options := s.solveOptions(r, src, filesync.StaticDirSource{"context": files, "dockerfile": whole}, out, append(secrets.attachables(), account))
		if s.cfg.Accounts != nil {
			options.SourcePolicyProvider = s.pulls.policy(r.Build.Image.Namespace, cancel)
		}
		response, err := c.Build(solveCtx, options, "", interpret, statuses)
		done <- outcome{response, err}
	}()
	// Solve hangs when its statuses are not taken, and closes the channel at
	// its end. After a cancellation they are drained unseen.
	quiet, stop := view.quiet()
	defer stop()
	var cut <-chan time.Time
	cancelled := solveCtx.Done()
	for open := true; open; {
		select {
		case status, ok := <-statuses:
			if open = ok; ok && solveCtx.Err() == nil {
				view.update(status)
				if view.taken > s.output {
					cancel(userError("the steps of this build print more than the limit (%s); have them print less, or write to a file", units.BytesSize(float64(s.output))))
				}
			}
		case <-quiet:
			view.release()
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
