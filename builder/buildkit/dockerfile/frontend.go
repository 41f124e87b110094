package dockerfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
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
	Bases   *Bases // is told of the images that the build uses
	// Platforms are those of the image, of which this BuildKit may make only some.
	Platforms *Platforms
	// Runs returns why steps can't run programs for a platform, nil where they can.
	Runs func(ctx context.Context, platform *pb.Platform) error
	Fail context.CancelCauseFunc // ends the solve with an error of ours
	// Did tells of a step that BuildKit says nothing of.
	Did func(id, name string, begun time.Time, cached bool)
	// Test is the stage that must build, too; empty: there is none.
	Test string
	// Made is what else decides about an image's bytes, and becomes part of its recipe.
	Made []string
	// Counts reports whether a file of the context decides about the image, by its name; nil: all do.
	Counts func(name string) bool
	// Exists is told the image's recipe and the frontend's metadata before anything is solved, where all that decides
	// about the image is known, and says whether the image is there already. Nil: it is built.
	Exists func(ctx context.Context, recipe string, metadata map[string][]byte) bool
}

// ErrExists ends a build whose image is there already.
var ErrExists = errors.New("the image exists")

// Build interprets the Dockerfile that bk's options name, and solves what it asks for with bk; layers that
// are in the commit go to the Store without BuildKit. An error of the Dockerfile is a *MistakeError; a limit or
// a crash is a *builder.SolveError; a *TestError has what is wrong with the test; ErrExists says that there is nothing to do; others are bk's,
// with their details.
func (i *Interpreter) Build(ctx context.Context, bk gateway.Client, b Build) (result *gateway.Result, err error) {
	defer i.refillLater()()
	defer func() {
		if fault := recover(); fault != nil { // one build's fault must not end the daemon
			err = panicked(fault)
			b.Fail(err)
		}
	}()
	c := &frontendClient{Client: bk, files: b.Context, whole: b.Whole, store: b.Store, seen: b.Seen, did: b.Did, secrets: b.Secrets, bases: b.Bases, mayCut: canCut(bk.BuildOpts()),
		platforms: b.Platforms, runs: b.Runs, counts: b.Counts}
	if result, err = i.build(ctx, c, b); err != nil {
		var decided *builder.SolveError
		if errors.As(err, &decided) { // only its text would come back from BuildKit
			var test *TestError
			if errors.As(err, &test) {
				err = test.Name(decided)
			}
			b.Fail(err)
		}
		return nil, err
	}
	return result, b.Store.Describe(result.Metadata)
}

func panicked(fault any) error { return fmt.Errorf("panic in a build: %v\n%s", fault, debug.Stack()) }

func (i *Interpreter) build(ctx context.Context, c *frontendClient, b Build) (*gateway.Result, error) {
	asked, test, err := i.interpretWithTest(ctx, c, b.Test)
	if err != nil {
		return nil, err
	}
	if b.Exists != nil {
		recipe, err := c.recipe(ctx, asked, test, b.Made)
		if err != nil {
			return nil, err
		}
		if recipe != "" && b.Exists(ctx, recipe, asked.Metadata) {
			return nil, ErrExists
		}
	}
	return c.solveAsked(ctx, asked, test)
}

// canCut reports whether BuildKit knows the operations that cutting needs.
func canCut(o gateway.BuildOpts) bool {
	return o.LLBCaps.Supports(pb.CapMergeOp) == nil && o.LLBCaps.Supports(pb.CapDiffOp) == nil
}

// frontendClient stands between the frontend and BuildKit.
type frontendClient struct {
	gateway.Client
	files     Context // the build context
	whole     Files   // all of the commit
	store     *export.Store
	seen      *SeenDirs
	did       func(id, name string, begun time.Time, cached bool)
	secrets   Secrets
	bases     *Bases
	mayCut    bool
	test      string // stage; empty: there is none
	platforms *Platforms
	runs      func(ctx context.Context, platform *pb.Platform) error
	counts    func(name string) bool

	mu       sync.Mutex
	resolved map[string]func() (*sourceresolver.MetaResponse, error)
	warned   map[string]bool
	lists    map[string]listed // of the build context, see list
}

// Solve implements gateway.Client. What makes an image is put off until all of that is known.
func (c *frontendClient) Solve(ctx context.Context, r gateway.SolveRequest) (*gateway.Result, error) {
	if r.Definition == nil {
		return c.solveByImage(ctx, r)
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
	result := gateway.NewResult()
	result.SetRef(&deferred{request: r, graph: g})
	return result, nil
}

// ResolveSourceMetadata implements gateway.Client.
func (c *frontendClient) ResolveSourceMetadata(ctx context.Context, op *pb.SourceOp, opt sourceresolver.Opt) (*sourceresolver.MetaResponse, error) {
	found, err := c.resolve(ctx, op, opt)
	if err != nil || found.Image == nil {
		return found, err
	}
	if opt.ImageOpt != nil {
		c.bases.add(found.Op.GetIdentifier(), opt.ImageOpt.Platform, found.Image.Digest)
	}
	layers, described, err := export.BaseLayers(found.Image.Config)
	c.platforms.inherit(layers, described)
	return found, err
}
