package dockerfile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"golang.org/x/sync/errgroup"

	"github.com/fandoghpaas/fandogh/builder/buildkit/export"
)

// A COPY of the build context makes a layer whose content is known without making it:
// it is in the commit. So that layer is cut from the commit's tree and goes to the
// registry, in parts of which only those are new that changed, and BuildKit is asked for
// an image without it. Where nothing builds on a COPY, BuildKit does not copy, nor is sent
// the files. Where a step does, BuildKit makes the COPY for it, in one plain piece, and only the
// layer comes from the tree.

// cut is a layer that is made without BuildKit.
type cut struct {
	layerOp
	at    int // in the chain
	nodes [][]node
	plan  *copyPlan
}

func (c *cut) measure() (total int64) {
	for _, nodes := range c.nodes {
		for _, n := range nodes {
			total += fileCost + n.stat.Size
		}
	}
	return total
}

// findCuts finds the layers of some images that can be cut. What is left of the images asks for the same files of
// the build context: so that it comes once, and the steps that copy from it are the same.
func (c *frontendClient) findCuts(ctx context.Context, images []*deferred) error {
	if _, hidesLayers := c.platforms.bases(); !c.mayCut || hidesLayers {
		return nil
	}
	isAll := c.test == "" // which has asked for the same files already
	together := map[string]bool{}
	for _, d := range images {
		paths, ok, err := c.findCutsOf(ctx, d)
		if err != nil {
			return err
		}
		isAll = isAll && ok
		for _, name := range paths {
			together[name] = true
		}
	}
	for _, d := range images {
		d.narrowed = d.graph
		if isAll && len(together) > 0 {
			var err error
			if d.narrowed, err = d.graph.narrowedTo(slices.Sorted(maps.Keys(together))); err != nil {
				return err
			}
		}
	}
	return nil
}

// findCutsOf finds those of one image, and returns the paths that are copied from the build context then; not ok where
// more of it may be read.
func (c *frontendClient) findCutsOf(ctx context.Context, d *deferred) (paths []string, ok bool, err error) {
	layers := d.graph.chain()
	if !d.graph.isForWindows() {
		if d.cuts, err = c.candidates(ctx, d.graph, layers); err != nil {
			return nil, false, err
		}
	}
	if len(d.cuts) == 0 {
		return nil, len(d.graph.contexts()) == 0, nil
	}
	def, err := d.graph.withoutCuts(layers, d.cuts)
	if err != nil {
		return nil, false, err
	}
	return d.graph.copiedBy(def)
}

// solveCut solves what makes an image without the layers that can be cut.
func (c *frontendClient) solveCut(ctx context.Context, r gateway.SolveRequest, d *deferred) (result *gateway.Result, err error) {
	whole := r
	layers := d.narrowed.chain()
	for _, cut := range d.cuts {
		cut.layerOp = layers[cut.at]
	}
	if r.Definition, err = d.narrowed.withoutCuts(layers, d.cuts); err != nil {
		return nil, err
	}
	r.Evaluate = true
	result, err = c.solveAndStore(ctx, r, d, layers)
	if errors.Is(err, errOtherwise) {
		whole.Definition = again(whole.Definition)
		return c.Client.Solve(ctx, whole)
	}
	return result, err
}

// solveAndStore solves what is left and makes what was cut, at once where it can.
func (c *frontendClient) solveAndStore(ctx context.Context, r gateway.SolveRequest, d *deferred, layers []layerOp) (result *gateway.Result, err error) {
	g, cuts := d.narrowed, d.cuts
	made := make([]export.Cut, len(cuts))
	group, both := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		result, err = c.Client.Solve(both, r)
		return err
	})
	isOtherwise := false
	store := func(ctx context.Context) error {
		err := c.storeAll(ctx, g, layers, cuts, made)
		if isOtherwise = errors.Is(err, errOtherwise); isOtherwise {
			return nil // what is being solved, the whole needs too
		}
		return err
	}
	if !runsWithoutCache(r.Definition) {
		group.Go(func() error { return store(both) })
		err = group.Wait()
	} else if err = group.Wait(); err == nil { // only what has run may be solved again
		err = store(ctx)
	}
	if err == nil && isOtherwise {
		err = errOtherwise
	}
	if err != nil {
		return nil, err
	}
	python, err := c.pythonSources(ctx, g, cuts, made)
	if err != nil {
		return nil, err
	}
	c.store.SetCuts(d.platform, made, python)
	return result, nil
}

// withoutCuts returns the definition without the layers that are cut.
func (g *graph) withoutCuts(layers []layerOp, cuts []*cut) (*pb.Definition, error) {
	isCut := map[int]bool{}
	for _, cut := range cuts {
		isCut[cut.at] = true
	}
	return g.without(layers, isCut)
}

// maxCut bounds what all cuts of an image list together, files and directories: some hundred bytes
// of memory for each.
const maxCut = 500_000

// candidates returns the layers that may be cut, from the lowest on; the upper ones where all are
// too many.
func (c *frontendClient) candidates(ctx context.Context, g *graph, layers []layerOp) ([]*cut, error) {
	var found []*cut
	listed := 0
	for i, layer := range slices.Backward(layers) {
		nodes, err := c.nodesOf(ctx, g, layer)
		if errors.Is(err, errOtherwise) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, list := range nodes {
			listed += len(list)
		}
		if listed > maxCut {
			break
		}
		found = append(found, &cut{layerOp: layer, at: i, nodes: nodes})
	}
	slices.Reverse(found)
	return found, nil
}

// nodesOf lists what a layer's COPY copies, for each source. Errors: errOtherwise where
// it is something else, or a copy that is BuildKit's to do.
func (c *frontendClient) nodesOf(ctx context.Context, g *graph, layer layerOp) ([][]node, error) {
	copies := g.copies(layer.made)
	if copies == nil {
		return nil, errOtherwise
	}
	var all [][]node
	for _, one := range copies {
		nodes, err := c.list(ctx, g.contextOf(layer.made).GetSource(), one.Src)
		if err != nil {
			return nil, err
		}
		all = append(all, nodes)
	}
	return all, nil
}

// list is contextNodes, once for each path.
func (c *frontendClient) list(ctx context.Context, source *pb.SourceOp, name string) ([]node, error) {
	key := source.Attrs[pb.AttrExcludePatterns] + " " + strings.Trim(path.Clean("/"+name), "/")
	c.mu.Lock()
	known, ok := c.lists[key]
	c.mu.Unlock()
	if ok {
		return known.nodes, known.err
	}
	nodes, err := contextNodes(ctx, c.files, source, name)
	if err != nil && !errors.Is(err, errOtherwise) {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lists == nil {
		c.lists = map[string]listed{}
	}
	c.lists[key] = listed{nodes, err}
	return nodes, err
}

// listed is a list of the build context.
type listed struct {
	nodes []node
	err   error
}

// plan works out what a cut makes of what is there, which is what is planned for the one
// below it, if that is cut too. It returns what the next is put on. Errors: errOtherwise where that is
// BuildKit's to do.
func (c *frontendClient) plan(ctx context.Context, g *graph, below *rootfs, cut, above *cut) (*rootfs, error) {
	if below == nil {
		below = c.rootOf(g, cut.below)
	}
	on := below
	if cut.isLinked() {
		on = newRootfs(nil)
	}
	cut.plan = &copyPlan{root: on, index: map[string]int{}}
	for n, one := range g.copies(cut.made) {
		if err := cut.plan.add(ctx, one, cut.nodes[n]); err != nil {
			return nil, err
		}
	}
	if above == nil || above.at != cut.at+1 {
		return nil, nil
	}
	if cut.isLinked() {
		return below, below.cover(ctx, cut.plan.entries)
	}
	return below, nil
}

// rootOf looks at what BuildKit has made, from the first question on.
func (c *frontendClient) rootOf(g *graph, state *pb.Input) *rootfs {
	if state == nil {
		return newRootfs(nil)
	}
	root := newRootfs(func(ctx context.Context) (gateway.Reference, error) {
		def, err := g.upTo(state)
		if err != nil {
			return nil, err
		}
		result, err := c.Client.Solve(ctx, gateway.SolveRequest{Definition: again(def)})
		if err != nil {
			return nil, err
		}
		return result.SingleRef()
	})
	if g.isDefinite(state) {
		root.seen, root.id = c.seen, fmt.Sprintf("%s %d", state.Digest, state.Index)
	}
	return root
}

// storeAll plans all cuts, and brings their layers to the registry.
func (c *frontendClient) storeAll(ctx context.Context, g *graph, layers []layerOp, cuts []*cut, made []export.Cut) error {
	most := c.partsOf(layers, cuts)
	above := 0
	for i, at := len(cuts)-1, len(layers)-1; i >= 0; at-- {
		if cuts[i].at != at {
			above++
			continue
		}
		made[i].Above = above
		i--
	}
	group, storing := errgroup.WithContext(ctx)
	var below *rootfs
	for i, one := range cuts {
		var next *cut
		if i+1 < len(cuts) {
			next = cuts[i+1]
		}
		var err error
		if below, err = c.plan(storing, g, below, one, next); err != nil {
			return errors.Join(err, group.Wait())
		}
		group.Go(func() error { return c.storeCut(storing, g, one, most, &made[i]) })
	}
	return group.Wait()
}

// storeCut makes a cut's layers.
func (c *frontendClient) storeCut(ctx context.Context, g *graph, cut *cut, most int, made *export.Cut) error {
	begun, known := time.Now(), true
	parts := divide(cut.plan.sorted(), most)
	made.Layers = make([]export.Layer, len(parts))
	group, ctx := errgroup.WithContext(ctx)
	for n, part := range parts {
		layer, ok := c.store.Recall(part)
		if ok {
			made.Layers[n] = layer
			continue
		}
		known = false
		group.Go(func() error {
			var err error
			made.Layers[n], err = c.store.Add(ctx, part, c.files)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if made.Above == 0 { // BuildKit does not make it and says nothing of it
		c.did(cut.state.Digest, g.stepName(cut.state), begun, known)
	}
	return nil
}

// pythonSources lists the Python sources in layers that are cut and that steps built on, with
// the times that those saw them with. Where too much would have to be looked at, some are left out.
func (c *frontendClient) pythonSources(ctx context.Context, g *graph, cuts []*cut, made []export.Cut) (map[string]export.PythonSource, error) {
	sources := map[string]export.PythonSource{}
	for i, cut := range cuts {
		if made[i].Above == 0 {
			continue
		}
		root := c.rootOf(g, cut.state)
		for _, e := range cut.plan.entries {
			if !e.Mode.IsRegular() || !strings.HasSuffix(e.Name, ".py") {
				continue
			}
			seen, err := root.lstat(ctx, e.Name)
			if errors.Is(err, errOtherwise) {
				break
			}
			if err != nil {
				return nil, err
			}
			dated, err := c.store.TimeOf(e.Blob)
			if err != nil {
				return nil, err
			}
			if seen != nil {
				sources[strings.TrimPrefix(e.Name, "/")] = export.PythonSource{Size: e.Size, Made: time.Unix(0, seen.ModTime), Dated: dated}
			}
		}
	}
	return sources, nil
}

// partsOf returns how many layers a cut may become: all of the image's stay within maxLayersPerImage.
func (c *frontendClient) partsOf(layers []layerOp, cuts []*cut) int {
	large := 0
	for _, cut := range cuts {
		if cut.measure() >= splitFrom {
			large++
		}
	}
	inherited, _ := c.platforms.bases()
	room := maxLayersPerImage - inherited - len(layers)
	return max(1, room/max(1, large))
}
