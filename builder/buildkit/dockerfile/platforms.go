package dockerfile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/moby/buildkit/solver/pb"

	"github.com/fandoghpaas/fandogh/builder"
)

// Platforms is what the images of one build have together, one for each platform, whichever BuildKits make them. None
// is built before all are known: so a build is refused before it begins where one can't be built, and the
// rest is decided by all of them, however fast each came.
//
// Of the cache mounts, which platforms share, all that any platform sees counts as seen. Of layers, where one image
// leaves no room to part them, none is parted.
type Platforms struct {
	buildKits int
	all       chan struct{} // closed when all BuildKits' are known
	err       error         // of what is done then; valid once all is closed

	mu          sync.Mutex
	known       int             // BuildKits, by what they make
	layouts     map[string]bool // of what steps with cache mounts see
	seen        map[string]bool // by them
	inherited   int             // the most layers that an image has that the Dockerfile names
	hidesLayers bool            // the history of one of them has not an entry for each layer
}

// NewPlatforms returns those of a build that is made by a number of BuildKits.
func NewPlatforms(buildKits int) *Platforms {
	return &Platforms{buildKits: buildKits, all: make(chan struct{}), layouts: map[string]bool{}, seen: map[string]bool{}}
}

// inherit takes in an image that the Dockerfile names: how many layers it has, and whether its history describes each.
// Where it does not tell of just the layers, BuildKit changes it, and no entry says which layer it is of.
func (p *Platforms) inherit(layers int, described bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inherited = max(p.inherited, layers)
	p.hidesLayers = p.hidesLayers || !described
}

// bases returns what inherit took in; all of it, once all platforms are known.
func (p *Platforms) bases() (inherited int, hidesLayers bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inherited, p.hidesLayers
}

// meet waits until it was called once for each BuildKit, whose platforms are known then, with what their steps with cache mounts
// see; layout is empty without such steps. The files are prepared for all then.
func (p *Platforms) meet(ctx context.Context, files Context, layout string, seen map[string]bool) error {
	p.mu.Lock()
	if layout != "" {
		p.layouts[layout] = true
		maps.Copy(p.seen, seen)
	}
	p.known++
	isLast := p.known == p.buildKits
	p.mu.Unlock()
	if isLast {
		p.err = p.renew(ctx, files)
		close(p.all)
	}
	select {
	case <-p.all:
		return p.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// renew waits for the other builds of this image that have cache mounts, and dates what they did not see.
func (p *Platforms) renew(ctx context.Context, files Context) error {
	p.mu.Lock()
	layout, seen := strings.Join(slices.Sorted(maps.Keys(p.layouts)), " "), maps.Clone(p.seen)
	p.mu.Unlock()
	if layout == "" {
		return nil
	}
	if err := files.Alone(ctx); err != nil {
		return err
	}
	files.Renew(layout, seen)
	return nil
}

// checkRuns refuses what has a step that runs programs for a platform whose programs BuildKit can't run. Of what
// programs there are where no base image is, the platform says nothing.
func (c *frontendClient) checkRuns(ctx context.Context, all []*deferred) error {
	checked := map[string]bool{}
	for _, d := range all {
		for _, id := range d.graph.order {
			op := d.graph.ops[id]
			if op.GetExec() == nil || op.Platform == nil || checked[op.Platform.String()] || !d.graph.hasBase(id) {
				continue
			}
			checked[op.Platform.String()] = true
			err := c.runs(ctx, op.Platform)
			var decided *builder.SolveError
			if errors.As(err, &decided) {
				return &builder.SolveError{
					Outcome: decided.Outcome, Retry: decided.Retry, Err: decided.Err, Message: d.graph.place(id) + decided.Message,
				}
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// hasBase reports whether a step runs in what was made FROM an image.
func (g *graph) hasBase(id string) bool {
	for at := g.ops[id]; at != nil; {
		var below *pb.Input
		switch kind := at.Op.(type) {
		case *pb.Op_Source:
			return true
		case *pb.Op_File:
			below = inputAt(at, kind.File.Actions[0].Input)
		case *pb.Op_Exec:
			below = inputAt(at, kind.Exec.Mounts[rootMount(kind.Exec)].Input)
		case *pb.Op_Merge:
			below = inputAt(at, 0)
		}
		if below == nil {
			return false
		}
		at = g.ops[below.Digest]
	}
	return false
}

// place says where an operation stands, "Dockerfile:7: ".
func (g *graph) place(id string) string {
	for _, at := range g.def.GetSource().GetLocations()[id].GetLocations() {
		infos := g.def.Source.Infos
		if int(at.SourceIndex) < len(infos) && at.SourceIndex >= 0 && len(at.Ranges) > 0 {
			return fmt.Sprintf("%s:%d: ", infos[at.SourceIndex].GetFilename(), at.Ranges[0].GetStart().GetLine())
		}
	}
	return ""
}
