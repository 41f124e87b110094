package dockerfile

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"maps"
	"slices"
	"strconv"
	"strings"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/tonistiigi/fsutil"
)

// A recipe names all that a build's image follows from, so that two builds with one recipe need to be done once:
//
//   - what BuildKit would be asked for: every step with its options and build args, and the bases by the digests that
//     their tags have now;
//   - the configuration that the frontend made of the Dockerfile;
//   - the names, modes and contents of the files that BuildKit would be sent for it, of those that Build.Counts;
//   - which secrets its steps are given, and when those were set;
//   - what the daemon does with it: Build.Made.
//
// Of the commit itself it has what steps are told of it and no more: what the configuration and manifest say of it is
// written anew. What a step fetches or finds in a cache mount is not in it, as it is not in what BuildKit's cache knows
// the step by.

// ingredients writes to a recipe.
type ingredients struct{ hash.Hash }

// add takes texts in, each with its length.
func (i ingredients) add(texts ...string) {
	for _, text := range texts {
		_, _ = i.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text)))) // a hash takes everything
		_, _ = i.Write([]byte(text))
	}
}

// recipe returns the recipe of what the frontend asked for, and for the test if there is one; empty where something of it
// can't be known, such as what is at a URL.
func (c *frontendClient) recipe(ctx context.Context, asked, test *gateway.Result, made []string) (string, error) {
	i := ingredients{sha256.New()}
	i.add(made...)
	for _, name := range slices.Sorted(maps.Keys(asked.Metadata)) {
		i.add(name, string(asked.Metadata[name]))
	}
	for _, result := range []*gateway.Result{asked, test} {
		if result == nil {
			continue
		}
		all, ok := deferredIn(result)
		if !ok {
			return "", nil
		}
		i.add(strconv.Itoa(len(all)))
		for _, d := range all {
			if !d.graph.isKnown() {
				return "", nil
			}
			i.add(d.platform)
			if err := c.addGraph(ctx, i, d.graph); err != nil {
				return "", err
			}
		}
	}
	return hex.EncodeToString(i.Sum(nil)), nil
}

// isKnown reports whether a graph tells by itself what all of its sources are.
func (g *graph) isKnown() bool {
	for _, op := range g.ops {
		switch kind := op.Op.(type) {
		case *pb.Op_Source:
			if kind.Source.Identifier != contextSource && !pinned.MatchString(kind.Source.Identifier) {
				return false
			}
		case *pb.Op_Build:
			return false
		}
	}
	return true
}

// passing are the attributes of sources that say how they are got, and not what they are.
var passing = []string{pb.AttrLocalSessionID, pb.AttrImageResolveMode}

// addGraph takes in a graph's operations, the files that they read, and the secrets that they are given.
func (c *frontendClient) addGraph(ctx context.Context, i ingredients, g *graph) error {
	from := &graph{def: g.def, order: g.order, ops: maps.Clone(g.ops)}
	for _, id := range g.order {
		op := g.ops[id]
		for _, alias := range aliasesOf(op.GetExec()) {
			if set, ok := c.secrets.Set[alias]; ok {
				i.add(alias, strconv.FormatInt(set.UnixNano(), 10))
			}
		}
		if op.GetSource() == nil {
			continue
		}
		op = op.CloneVT()
		maps.DeleteFunc(op.GetSource().Attrs, func(name, _ string) bool { return slices.Contains(passing, name) })
		from.ops[id] = op
		if op.GetSource().Identifier != contextSource {
			continue
		}
		nodes, err := c.filesFrom(ctx, g, id)
		if err != nil {
			return err
		}
		for _, n := range nodes {
			if c.counts == nil || c.counts(n.name) {
				i.add(n.name, strconv.FormatUint(uint64(n.stat.Mode), 8), string(n.blob))
			}
		}
		i.add("end of the files")
	}
	def, err := from.upTo(g.result())
	if err != nil {
		return err
	}
	for _, op := range def.Def {
		i.add(string(op))
	}
	return nil
}

// filesFrom lists what BuildKit would be sent of the build context for a graph. No more than that may be looked at.
func (c *frontendClient) filesFrom(ctx context.Context, g *graph, id string) ([]node, error) {
	source := g.ops[id].GetSource()
	paths, ok := g.plainlyRead(id)
	if !ok {
		return c.listFiltered(ctx, source)
	}
	var all []node
	for _, name := range paths {
		nodes, err := c.list(ctx, source, name)
		if errors.Is(err, errOtherwise) {
			return c.listFiltered(ctx, source)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, nodes...)
	}
	return all, nil
}

// plainlyRead returns the paths that are read from a source, sorted; not ok where they are not names.
func (g *graph) plainlyRead(id string) (paths []string, ok bool) {
	found := map[string]bool{}
	for _, op := range g.ops {
		for i, in := range op.Inputs {
			if in.Digest != id {
				continue
			}
			names, ok := readBy(op, int64(i))
			if !ok {
				return nil, false
			}
			for _, name := range names {
				found[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found)), true
}

// readBy returns the paths that an operation reads of one of its inputs.
func readBy(op *pb.Op, input int64) (names []string, ok bool) {
	for _, action := range op.GetFile().GetActions() {
		c := action.GetCopy()
		if action.Input == input || action.SecondaryInput == input && (c == nil || strings.ContainsAny(c.Src, `*?[\`) || len(c.IncludePatterns)+len(c.RequiredPaths) > 0) {
			return nil, false
		}
		if action.SecondaryInput == input {
			names = append(names, c.Src)
		}
	}
	for _, m := range op.GetExec().GetMounts() {
		if m.Input == input {
			names = append(names, m.Selector)
		}
	}
	return names, op.GetFile() != nil || op.GetExec() != nil
}

// listFiltered lists what BuildKit asks to be sent of a source.
func (c *frontendClient) listFiltered(ctx context.Context, source *pb.SourceOp) ([]node, error) {
	filter := filterOf(source)
	_ = json.Unmarshal([]byte(source.Attrs[pb.AttrFollowPaths]), &filter.FollowPaths) // as filterOf has it
	filtered, err := fsutil.NewFilterFS(c.files.Untimed(), filter)
	if err != nil {
		return nil, nil //nolint:nilerr // BuildKit will say what is wrong with it
	}
	return walkNodes(ctx, c.files, filtered, "")
}
