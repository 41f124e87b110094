package dockerfile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"maps"
	"path"
	"strings"

	"github.com/moby/buildkit/solver/pb"
)

// A step with a cache mount finds there what it left in an earlier version, and tools
// compare the times of that with those of the sources. For it, three things are made sure:
//
//   - Builds of one image that have such steps run one after the other.
//   - What such a step sees is dated anew where it is not what the last such build saw at that
//     place: Context.Renew.
//   - A copy of the same files with other times is another one to BuildKit's cache, which knows
//     copies by content alone: the copies that lead to such a step are marked with the latest time
//     of what they copy. It stays the same while the files do.

// reading is what an operation reads of the build context.
type reading struct {
	nodes []node
	facts []string // how, and where to
}

// dateForCacheMounts puts the marks into what a build is going to solve.
func (c *frontendClient) dateForCacheMounts(ctx context.Context, all []*deferred) error {
	g := union(all)
	needed := g.behindCacheMounts()
	if len(needed) == 0 {
		return c.platforms.meet(ctx, c.files, "", nil)
	}
	layout := sha256.New()
	readings := map[string]reading{}
	seen := map[string]bool{}
	for _, id := range g.order {
		if !needed[id] {
			continue
		}
		r, err := c.readingOf(ctx, g, g.ops[id])
		if err != nil {
			return err
		}
		readings[id] = r
		r.describe(layout)
		for _, n := range r.nodes {
			seen[c.files.InTree(n.name)] = true
		}
	}
	if err := c.platforms.meet(ctx, c.files, hex.EncodeToString(layout.Sum(nil)), seen); err != nil {
		return err
	}
	marks := map[string]int64{}
	for _, id := range g.order { // what an operation builds on comes before it
		if !needed[id] {
			continue
		}
		for _, n := range readings[id].nodes {
			marks[id] = max(marks[id], c.files.TimeOf(n.name, n.blob).UnixNano())
		}
		for _, in := range g.ops[id].Inputs {
			marks[id] = max(marks[id], marks[in.Digest])
		}
	}
	if err := c.files.SaveTimes(); err != nil {
		return err
	}
	for _, d := range all {
		var err error
		if d.graph, err = d.graph.marked(marks); err != nil {
			return err
		}
	}
	return nil
}

// union returns the operations of several graphs, which may share some; it has no definition.
func union(all []*deferred) *graph {
	g := &graph{ops: map[string]*pb.Op{}}
	for _, d := range all {
		for _, id := range d.graph.order {
			if g.ops[id] == nil {
				g.order, g.ops[id] = append(g.order, id), d.graph.ops[id]
			}
		}
	}
	return g
}

// behindCacheMounts returns the steps with cache mounts, and all that they build on.
func (g *graph) behindCacheMounts() map[string]bool {
	needed := map[string]bool{}
	var take func(id string)
	take = func(id string) {
		if needed[id] {
			return
		}
		needed[id] = true
		for _, in := range g.ops[id].Inputs {
			take(in.Digest)
		}
	}
	for id, op := range g.ops {
		for _, m := range op.GetExec().GetMounts() {
			if m.MountType == pb.MountType_CACHE {
				take(id)
			}
		}
	}
	return needed
}

// readingOf lists what an operation reads of the context: what it copies, or what is
// mounted for it.
func (c *frontendClient) readingOf(ctx context.Context, g *graph, op *pb.Op) (reading, error) {
	var r reading
	read := func(source *pb.Op, name string, facts ...any) error {
		if source.GetSource().GetIdentifier() != contextSource {
			return nil
		}
		nodes, err := c.nodesBelow(ctx, source.GetSource(), name)
		r.nodes, r.facts = append(r.nodes, nodes...), append(r.facts, fmt.Sprintf("%q", facts))
		return err
	}
	for _, action := range op.GetFile().GetActions() {
		source, one := inputAt(op, action.SecondaryInput), action.GetCopy()
		if source == nil || one == nil {
			continue
		}
		if err := read(g.ops[source.Digest], one.Src, one.Src, one.Dest, one.IncludePatterns, one.ExcludePatterns); err != nil {
			return r, err
		}
	}
	for _, m := range op.GetExec().GetMounts() {
		source := inputAt(op, m.Input)
		if source == nil || m.MountType != pb.MountType_BIND {
			continue
		}
		if err := read(g.ops[source.Digest], m.Selector, m.Selector, m.Dest); err != nil {
			return r, err
		}
	}
	return r, nil
}

// nodesBelow lists the files that a path, which may be a pattern or a link, may stand for.
// Too many only make a step run that need not.
func (c *frontendClient) nodesBelow(ctx context.Context, source *pb.SourceOp, name string) ([]node, error) {
	clean := strings.Trim(path.Clean("/"+name), "/")
	isPattern := strings.ContainsAny(clean, `*?[\`)
	if !isPattern {
		nodes, err := c.list(ctx, source, clean)
		if !errors.Is(err, errOtherwise) {
			return nodes, err
		}
	}
	all, err := c.list(ctx, source, "")
	if errors.Is(err, errOtherwise) {
		return nil, nil
	}
	if err != nil || !isPattern {
		return all, err
	}
	var matched []node
	for _, n := range all {
		if matchesAbove(clean, n.name) {
			matched = append(matched, n)
		}
	}
	return matched, nil
}

// matchesAbove reports whether a pattern is for a path or a directory that it is in.
func matchesAbove(pattern, name string) bool {
	for ; name != "." && name != ""; name = path.Dir(name) {
		if ok, err := path.Match(pattern, name); ok || err != nil {
			return true
		}
	}
	return false
}

// describe writes what decides about where files come to lie.
func (r reading) describe(out hash.Hash) {
	fmt.Fprintf(out, "%q\n", r.facts)
	for _, n := range r.nodes {
		if fs.FileMode(n.stat.Mode)&fs.ModeSymlink != 0 {
			fmt.Fprintf(out, "%q %q\n", n.name, n.stat.Linkname)
		}
	}
}

// marked returns the graph with a mark at every copy, by its operation. It is in the way to
// the copy's destination, where it means nothing, and so in the name that BuildKit's cache has for it.
func (g *graph) marked(marks map[string]int64) (*graph, error) {
	with := &graph{def: g.def, order: g.order, ops: maps.Clone(g.ops)}
	for id, op := range g.ops {
		if marks[id] == 0 || op.GetFile() == nil {
			continue
		}
		op = op.CloneVT()
		for _, action := range op.GetFile().Actions {
			if c := action.GetCopy(); c != nil {
				c.Dest = fmt.Sprintf("/.since-%d/../%s", marks[id], strings.TrimPrefix(c.Dest, "/"))
			}
		}
		with.ops[id] = op
	}
	def, err := with.upTo(g.result())
	if err != nil {
		return nil, err
	}
	return newGraph(def)
}
