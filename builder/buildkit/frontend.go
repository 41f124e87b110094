package buildkit

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkit/dockerfile"
)

// build is BuildKit's own Dockerfile frontend. It runs in a child of this process and not in
// buildkitd, so that layers of the image can be made without BuildKit.
func (c *frontendClient) build(ctx context.Context, bk gateway.Client) (result *gateway.Result, err error) {
	defer func() {
		if fault := recover(); fault != nil { // one build's fault must not end the daemon
			err = fmt.Errorf("panic in a build: %v\n%s", fault, debug.Stack())
			c.fail(err)
		}
	}()
	c.Client = bk
	c.mayCut = canCut(bk.BuildOpts())
	if result, err = c.dockerfiles.Build(ctx, c); err != nil {
		var decided *builder.SolveError
		if errors.As(err, &decided) { // only its text would come back from BuildKit
			c.fail(err)
		}
		return nil, err
	}
	return result, c.finish(result)
}

// canCut tells whether BuildKit knows the operations that cutting needs.
// Images for several platforms have a configuration each and are left alone.
func canCut(o gateway.BuildOpts) bool {
	return !strings.Contains(o.Opts["platform"], ",") &&
		o.LLBCaps.Supports(pb.CapMergeOp) == nil && o.LLBCaps.Supports(pb.CapDiffOp) == nil
}

// frontendClient stands between the frontend and BuildKit.
type frontendClient struct {
	gateway.Client
	dockerfiles *dockerfile.Interpreter
	files       *contextFS
	fail        context.CancelCauseFunc // ends the solve with an error of ours
	shelf       *shelf
	view        *progress
	mayCut      bool
	isAlone     bool // among the builds of this image with cache mounts

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
	if err == nil {
		g, err = c.dateForCacheMounts(ctx, g)
	}
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
	base, err := parseBase(found.Image.Config)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inherited = max(c.inherited, len(base.layers))
	// Where a history does not tell of just the layers, BuildKit changes it, and no entry says
	// which layer it is of.
	c.hidesLayers = c.hidesLayers || base.told != len(base.layers)
	return found, err
}

// finish tells the shelf what the image is made FROM, and BuildKit which layers it is not
// to look for.
func (c *frontendClient) finish(result *gateway.Result) error {
	bases := map[string]baseImage{}
	for key, text := range result.Metadata {
		platform, ok := strings.CutPrefix(key, exptypes.ExporterImageBaseConfigKey)
		if !ok {
			continue
		}
		base, err := parseBase(text)
		if err != nil {
			return err
		}
		bases[strings.TrimPrefix(platform, "/")] = base
	}
	c.shelf.mu.Lock()
	defer c.shelf.mu.Unlock()
	c.shelf.bases = bases
	if len(c.shelf.cuts) == 0 {
		return nil
	}
	config, err := parseConfig(result.Metadata[exptypes.ExporterImageConfigKey])
	if err != nil {
		return err
	}
	for i := len(c.shelf.cuts) - 1; i >= 0; i-- {
		cut := &c.shelf.cuts[i]
		if cut.mark, err = config.markCut(cut.above); err != nil {
			return err
		}
	}
	if err = config.set("history", config.history); err != nil {
		return err
	}
	text, err := config.encode()
	result.AddMeta(exptypes.ExporterImageConfigKey, text)
	return err
}
