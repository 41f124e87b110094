package builder

import (
	"context"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Solver turns a tree into an image in the registry. builder/buildkit implements it.
type Solver interface {
	// Solve builds and pushes one image. It calls progress from one goroutine at
	// a time, in the order things happened, and not after it returned. When ctx
	// ends it returns within a second. A failure is a *SolveError, but for
	// ctx's own error.
	Solve(ctx context.Context, r SolveRequest, progress func(Event)) (SolveResult, error)
}

// SolveRequest says what to build and where to put it.
type SolveRequest struct {
	Build       catalog.Build
	Options     catalog.BuildOptions // push options over the repository's own
	Tree        catalog.Tree
	As          catalog.CheckedOut  // what the tree's commit is built for
	Destination string              // "host:port/ns/app:1.0", to push to
	Credential  Credential          // for the registry at Destination's host
	Limits      catalog.BuildLimits // of what its steps use; its Timeout is kept by ctx
	// Secrets are what its steps may be given. Their values stand in no event and no error.
	Secrets []catalog.OpenSecret
	// Paths are patterns as in a .dockerignore, from the repository's root. Where there are any, other files count for nothing when it
	// is decided whether an earlier version has the image, and PathsSum names all files of the commit that match.
	Paths    []string
	PathsSum string
	// Apart says that the build shares nothing with other builds of its image: no file's age, no cache mount, and no layer that was
	// stored before.
	Apart bool
	// Pinned are images that are used by their digests, whatever their names stand for now.
	Pinned []catalog.BaseImage
	// Earlier finds the newest built version of the image that has a recipe; nil: the image is built in any case. Errors:
	// NotFound.
	Earlier func(ctx context.Context, recipe string) (catalog.Version, error)
}

// Accounts tells what builds log in to other registries with.
type Accounts interface {
	// CredentialFor returns a namespace's account at a host; empty for none. Without a user name the password is an
	// identity token. Errors: Invalid (no host), Unavailable.
	CredentialFor(ctx context.Context, namespace, host string) (username, password string, err error)
	// HadAccount reports whether a host is or was used with an account, of any namespace: what BuildKit has of
	// it may be private. Errors: Invalid (no host).
	HadAccount(ctx context.Context, host string) (bool, error)
}

// Credential is a name and a secret made for one build.
type Credential struct {
	Username string
	Password string
}

// Event is one thing that happened during a solve: a log line, a step that
// changed, or both.
type Event struct {
	Time time.Time
	Line string        // one line for the log, without line end; empty: none
	Step *catalog.Step // the step as it stands now; steps are told apart by Digest
	// Waits says what the solve waits for before it can begin. The next event
	// without it tells that it goes on.
	Waits string
}

// SolveResult is the image in the registry.
type SolveResult struct {
	Digest string // "sha256:…" of the pushed manifest or index
	Size   int64  // bytes: manifests, configs and compressed layers
	Bases  []Base // what it is made of, sorted
	// Recipe names all that the image follows from, but for what it says of its commit. Empty: that can't be known.
	Recipe string
	// SameAs is the version of which the image has the layers, as its recipe is the same; empty: it was built.
	SameAs string
	// Dockerfile is the path of what was built by, and DockerfileDigest, "sha256:…", that of its content.
	Dockerfile, DockerfileDigest string
}

// Base is an image of which a build used files or the configuration: by FROM, COPY --from or RUN --mount. One of
// a stage that is not built is none, nor is the frontend.
type Base struct {
	// Ref is what the Dockerfile has, in full: "docker.io/library/alpine:3.20", or "…/alpine@sha256:…".
	Ref      string
	Platform string // "linux/amd64"
	Digest   string // "sha256:…" of what the registry gave: a manifest, or the index that has it
}

// SolveError says why there is no image.
type SolveError struct {
	Outcome catalog.Outcome
	Message string   // one sentence, safe to show
	Detail  []string // lines for the log's end: the failing Dockerfile lines with numbers, last output
	Err     error    // the cause, for the daemon's log
	Retry   Retry    // how to try again what failed by infrastructure
}

// Retry is a way to try again.
type Retry int

// The ways to try again.
const (
	RetrySoon  Retry = iota // something here failed: a few attempts
	RetryFree               // BuildKit went away: soon, and not counted as an attempt
	RetryLater              // something elsewhere failed: with time to recover, not counted either
)

// Error returns the message and the cause.
func (e *SolveError) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *SolveError) Unwrap() error { return e.Err }
