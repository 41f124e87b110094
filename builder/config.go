package builder

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
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
	// Differences compares commits; nil: nothing is known of what changed.
	Differences catalog.Differences
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
