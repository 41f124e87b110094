package dockerfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/tonistiigi/fsutil"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkit/export"
	"github.com/fandoghpaas/fandogh/catalog"
)

// Files are what a build reads of its commit. Names are slash paths in them.
type Files interface {
	export.Files
	// Stat follows links inside the files.
	Stat(name string) (fs.FileInfo, error)
}

// Context is a build context, as BuildKit is sent it.
type Context interface {
	Files
	fsutil.FS
	// Lstat follows no link at the end of a name.
	Lstat(name string) (fs.FileInfo, error)
	// Blob names the content of a file or link.
	Blob(name string) (catalog.BlobID, error)
	// Untimed is the same files for a caller that reads no times.
	Untimed() fsutil.FS
	// InTree returns a name's path in the commit.
	InTree(name string) string
	// TimeOf returns the time that a step sees a file with.
	TimeOf(name string, blob catalog.BlobID) time.Time
	// Alone waits until no other build of the image is alone, and is it until the solve ends.
	Alone(ctx context.Context) error
	// Renew prepares for steps with cache mounts, which see just these paths of the commit, put
	// together in this way: what the last such build did not see so is dated anew.
	Renew(layout string, seen map[string]bool)
	// SaveTimes keeps the times of files, which must be before a step sees them.
	SaveTimes() error
}

// Build is one build of a commit.
type Build struct {
	Context Context
	Whole   Files         // all of the commit: a Dockerfile may stand anywhere
	Store   *export.Store // of the image
	Seen    *SeenDirs
	Secrets Secrets
	Fail    context.CancelCauseFunc // ends the solve with an error of ours
	// Did tells of a step that BuildKit says nothing of.
	Did func(id, name string, begun time.Time, cached bool)
}

// Build interprets the Dockerfile that bk's options name, and solves what it asks for with bk; layers that
// are in the commit go to the Store without BuildKit. An error of the Dockerfile is a *MistakeError; a limit or
// a crash is a *builder.SolveError; others are bk's, with their details.
func (i *Interpreter) Build(ctx context.Context, bk gateway.Client, b Build) (result *gateway.Result, err error) {
	defer func() {
		if fault := recover(); fault != nil { // one build's fault must not end the daemon
			err = fmt.Errorf("panic in a build: %v\n%s", fault, debug.Stack())
			b.Fail(err)
		}
	}()
	c := &frontendClient{Client: bk, files: b.Context, whole: b.Whole, store: b.Store, seen: b.Seen, did: b.Did, secrets: b.Secrets, mayCut: canCut(bk.BuildOpts())}
	if result, err = i.interpret(ctx, c); err != nil {
		var decided *builder.SolveError
		if errors.As(err, &decided) { // only its text would come back from BuildKit
			b.Fail(err)
		}
		return nil, err
	}
	return result, b.Store.Describe(result.Metadata)
}

// canCut reports whether BuildKit knows the operations that cutting needs.
// Images for several platforms have a configuration each and are left alone.
func canCut(o gateway.BuildOpts) bool {
	return !strings.Contains(o.Opts["platform"], ",") &&
		o.LLBCaps.Supports(pb.CapMergeOp) == nil && o.LLBCaps.Supports(pb.CapDiffOp) == nil
}

// frontendClient stands between the frontend and BuildKit.
type frontendClient struct {
	gateway.Client
	files   Context // the build context
	whole   Files   // all of the commit
	store   *export.Store
	seen    *SeenDirs
	did     func(id, name string, begun time.Time, cached bool)
	secrets Secrets
	mayCut  bool
	isAlone bool // among the builds of this image with cache mounts

	mu          sync.Mutex
	lists       map[string]listed // of the build context, see list
	inherited   int               // the most layers that an image has that the Dockerfile names
	hidesLayers bool              // the history of one of them has not an entry for each layer
}

// Solve implements gateway.Client.
func (c *frontendClient) Solve(ctx context.Context, r gateway.SolveRequest) (*gateway.Result, error) {
	if r.Definition == nil {
		return c.Client.Solve(ctx, r)
	}
	g, err := newGraph(r.Definition)
	if err != nil {
		return nil, err
	}
	if found, ok := c.readTexts(g); ok {
		return found, nil
	}
	if g.hasSecrets() {
		if g, err = c.giveSecrets(g); err != nil {
			return nil, err
		}
	}
	g, err = c.dateForCacheMounts(ctx, g)
	if err != nil {
		return nil, err
	}
	r.Definition = g.def
	c.mu.Lock()
	mayCut := c.mayCut && !c.hidesLayers
	c.mu.Unlock()
	if !mayCut {
		return c.Client.Solve(ctx, r)
	}
	return c.solveCut(ctx, r, g)
}

// ResolveSourceMetadata implements gateway.Client.
func (c *frontendClient) ResolveSourceMetadata(ctx context.Context, op *pb.SourceOp, opt sourceresolver.Opt) (*sourceresolver.MetaResponse, error) {
	found, err := c.Client.ResolveSourceMetadata(ctx, op, opt)
	if err != nil || found.Image == nil {
		return found, err
	}
	layers, described, err := export.BaseLayers(found.Image.Config)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inherited = max(c.inherited, layers)
	// Where a history does not tell of just the layers, BuildKit changes it, and no entry says
	// which layer it is of.
	c.hidesLayers = c.hidesLayers || !described
	return found, err
}
