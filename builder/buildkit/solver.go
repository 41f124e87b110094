package buildkit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	_ "github.com/moby/buildkit/util/grpcutil/encoding/proto" // what BuildKit's own programs talk: file names need not be UTF-8 in it
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

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
	LogLimit        int64             // bytes of output kept of one build that says nothing of it; 0: 10 MiB
	// Limiter bounds the steps of a BuildKit on this machine; nil: a BuildKit is asked to do so itself, for each step.
	Limiter builder.StepLimiter
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
	// Version is this program's: another one may make another image of the same.
	Version string
	Logger  hclog.Logger
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
	output      int64    // maxOutput
	unlimited   sync.Map // addresses of BuildKits that can't limit steps, and that was said
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
	_, release, err := s.backends.acquire(ctx, nil)
	if err != nil {
		return err
	}
	release()
	return nil
}

// Solve implements builder.Solver.
func (s *Solver) Solve(ctx context.Context, r builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
	view := newProgress(cmp.Or(r.Limits.Log, s.cfg.LogLimit), progress)
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
	wanted, err := parsePlatforms(r.Options.Platform)
	if err != nil {
		return builder.SolveResult{}, err
	}
	counts, err := counting(r.Paths, src.contextDir)
	if err != nil {
		return builder.SolveResult{}, err
	}
	parts, release, err := s.await(ctx, wanted, view.emit)
	if err != nil {
		return builder.SolveResult{}, err
	}
	defer release()
	if len(wanted) > 1 {
		view.platforms = wanted
	}
	b, end := s.begin(ctx, r, src, wanted, parts, secrets, view)
	defer end()
	b.counts = counts
	result, err := b.solve(ctx)
	if ctx.Err() != nil {
		return builder.SolveResult{}, ctx.Err()
	}
	if err != nil {
		return builder.SolveResult{}, err
	}
	result.Dockerfile, result.DockerfileDigest = src.dockerfile, src.digest.String()
	result.Bases = b.bases.List()
	return result, nil
}

// await connects to the BuildKits of a build, however long none answers: one that is being started
// again is no reason to fail a build. Its error is ctx's.
func (s *Solver) await(ctx context.Context, wanted []ocispecs.Platform, progress func(builder.Event)) ([]*part, func(), error) {
	const firstPause, maxPause = 20 * time.Millisecond, time.Second
	waited := false
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		parts, release, err := s.backends.acquire(ctx, wanted)
		if err == nil && waited {
			progress(builder.Event{Line: "BuildKit is responding"})
		}
		if err == nil {
			return parts, release, nil
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

func (s *Solver) registryHosts() []string {
	return append([]string{s.cfg.RegistryHost}, s.cfg.RegistryAliases...)
}
