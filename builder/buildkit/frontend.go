package buildkit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkit/dockerfile"
)

// frontend is BuildKit's own Dockerfile frontend. It runs in a child of this process
// and not in buildkitd, so that large COPYs of the build context, files, can be split
// before they are solved. fail ends the solve with an error of ours.
func frontend(dockerfiles *dockerfile.Interpreter, files fsutil.FS, fail context.CancelCauseFunc) gateway.BuildFunc {
	return func(ctx context.Context, c gateway.Client) (result *gateway.Result, err error) {
		defer func() {
			if fault := recover(); fault != nil { // one build's fault must not end the daemon
				err = fmt.Errorf("panic in a build: %v\n%s", fault, debug.Stack())
				fail(err)
			}
		}()
		f := &frontendClient{Client: c, files: files, fail: fail, splits: canSplit(c.BuildOpts())}
		if result, err = dockerfiles.Build(ctx, f); err != nil {
			var decided *builder.SolveError
			if errors.As(err, &decided) { // only its text would come back from BuildKit
				fail(err)
			}
			return nil, err
		}
		return result, f.repeatHistory(result)
	}
}

// canSplit tells whether BuildKit knows the operations that splitting needs.
// Images for several platforms have a configuration each and are left alone.
func canSplit(o gateway.BuildOpts) bool {
	return !strings.Contains(o.Opts["platform"], ",") &&
		o.LLBCaps.Supports(pb.CapMergeOp) == nil && o.LLBCaps.Supports(pb.CapDiffOp) == nil
}

// frontendClient stands between the frontend and BuildKit.
type frontendClient struct {
	gateway.Client
	files  fsutil.FS
	fail   context.CancelCauseFunc
	splits bool
	layers []int // of the image, as graph.layers says
}

// Solve implements gateway.Client.
func (c *frontendClient) Solve(ctx context.Context, r gateway.SolveRequest) (*gateway.Result, error) {
	if r.Definition != nil && c.splits {
		split, err := c.split(ctx, r.Definition)
		if err != nil {
			return nil, err
		}
		r.Definition = split
	}
	return c.Client.Solve(ctx, r)
}

func (c *frontendClient) split(ctx context.Context, whole *pb.Definition) (*pb.Definition, error) {
	g, err := newGraph(whole)
	if err != nil {
		return nil, err
	}
	plan, err := g.plan(ctx, c.files)
	if err != nil {
		return nil, err
	}
	for id, d := range plan {
		isNew, err := c.makesNew(ctx, g, id, d.dirs)
		if err != nil {
			return nil, err
		}
		if !isNew {
			delete(plan, id)
		}
	}
	if len(plan) == 0 {
		return whole, nil
	}
	c.layers = g.layers(plan)
	return g.split(plan)
}

// makesNew tells whether a COPY finds none of dirs where it copies them to. A
// directory that is there takes its mode and owner from the copied one, but not
// from a part of it.
func (c *frontendClient) makesNew(ctx context.Context, g *graph, id string, dirs []string) (bool, error) {
	base := g.base(id)
	if base == nil || len(dirs) == 0 {
		return true, nil
	}
	def, err := g.upTo(base)
	if err != nil {
		return false, err
	}
	result, err := c.Client.Solve(ctx, gateway.SolveRequest{Definition: def, Evaluate: true})
	if err != nil {
		return false, err
	}
	ref, err := result.SingleRef()
	if err != nil || ref == nil {
		return ref == nil, err
	}
	there, err := ref.ReadDir(ctx, gateway.ReadDirRequest{Path: g.copied(id).Dest})
	if err != nil { // else BuildKit will say what is wrong with it
		return strings.Contains(err.Error(), syscall.ENOENT.Error()), nil
	}
	return !slices.ContainsFunc(there, func(entry *types.Stat) bool { return slices.Contains(dirs, entry.Path) }), nil
}

// repeatHistory gives each layer of a split COPY that instruction's entry in the
// image's history, which must have one for every layer.
func (c *frontendClient) repeatHistory(r *gateway.Result) error {
	text, ok := r.Metadata[exptypes.ExporterImageConfigKey]
	if !ok || len(c.layers) == 0 {
		return nil
	}
	var config map[string]json.RawMessage // whatever else it has stays as it is
	var entries, repeated []ocispec.History
	if err := json.Unmarshal(text, &config); err != nil {
		return err
	}
	if err := json.Unmarshal(config["history"], &entries); err != nil {
		return err
	}
	layer := 0 // counted from the top, as c.layers
	for _, entry := range slices.Backward(entries) {
		times := 1
		if !entry.EmptyLayer {
			if layer < len(c.layers) { // else of the base image
				times = c.layers[layer]
			}
			layer++
		}
		for range times {
			repeated = append(repeated, entry)
		}
	}
	slices.Reverse(repeated)
	var err error
	if config["history"], err = json.Marshal(repeated); err != nil {
		return err
	}
	text, err = json.Marshal(config)
	r.AddMeta(exptypes.ExporterImageConfigKey, text)
	return err
}
