package dockerfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	"google.golang.org/protobuf/proto"
)

// contextSource is the build context's name among LLB's sources.
const contextSource = "local://context"

// graph is a build's steps as the frontend made them of a Dockerfile: LLB, a list
// of operations in which each names those it builds on by their digests.
type graph struct {
	def   *pb.Definition
	order []string // digests
	ops   map[string]*pb.Op
}

// layerOp is a step that makes one layer of the image.
type layerOp struct {
	state *pb.Input // the image with this layer
	below *pb.Input // the image without it; nil for nothing
	made  *pb.Input // what makes the layer: state, or what COPY --link puts on below
}

func (l layerOp) isLinked() bool { return l.made != l.state }

func newGraph(def *pb.Definition) (*graph, error) {
	g := &graph{def: def, ops: map[string]*pb.Op{}}
	for _, raw := range def.Def {
		op, id := &pb.Op{}, digest.FromBytes(raw).String()
		if err := proto.Unmarshal(raw, op); err != nil {
			return nil, err
		}
		g.order = append(g.order, id)
		g.ops[id] = op
	}
	for _, id := range g.order {
		if err := g.check(g.ops[id]); err != nil {
			return nil, err
		}
	}
	if len(g.order) > 0 && len(g.ops[g.order[len(g.order)-1]].Inputs) == 0 {
		return nil, errors.New("a build definition without a result")
	}
	return g, nil
}

// check refuses an operation that no frontend makes, and that the rest here relies on not to be: where
// Dockerfiles are interpreted is not trusted.
func (g *graph) check(op *pb.Op) error {
	for _, in := range op.Inputs {
		if g.ops[in.Digest] == nil {
			return fmt.Errorf("a build definition without its operation %s", in.Digest)
		}
	}
	switch kind := op.Op.(type) {
	case *pb.Op_File:
		if len(kind.File.GetActions()) == 0 {
			return errors.New("a build definition with a file operation that does nothing")
		}
	case *pb.Op_Exec:
		if rootMount(kind.Exec) < 0 {
			return errors.New("a build definition with a step without a root")
		}
	}
	return nil
}

func rootMount(exec *pb.ExecOp) int {
	return slices.IndexFunc(exec.GetMounts(), func(m *pb.Mount) bool { return m.Dest == pb.RootMount })
}

// chain returns the layers that the build puts on the image's base, from the lowest on.
func (g *graph) chain() (layers []layerOp) {
	for in := g.result(); in != nil; {
		op := g.ops[in.Digest]
		layer := layerOp{state: in, made: in}
		switch kind := op.Op.(type) {
		case *pb.Op_File:
			layer.below = inputAt(op, kind.File.Actions[0].Input)
		case *pb.Op_Exec:
			layer.below = inputAt(op, kind.Exec.Mounts[rootMount(kind.Exec)].Input)
		case *pb.Op_Merge:
			if len(op.Inputs) != 2 {
				in = nil
				continue
			}
			layer.below, layer.made = op.Inputs[0], op.Inputs[1]
		default:
			in = nil
			continue
		}
		layers = append(layers, layer)
		in = layer.below
	}
	slices.Reverse(layers)
	return layers
}

// result is what the build makes, nil for nothing.
func (g *graph) result() *pb.Input {
	if len(g.order) == 0 {
		return nil
	}
	return g.ops[g.order[len(g.order)-1]].Inputs[0]
}

// isForWindows reports whether the image is, whose layers are arranged in another way.
func (g *graph) isForWindows() bool {
	result := g.result()
	return result != nil && g.ops[result.Digest].GetPlatform().GetOS() == "windows"
}

// runsWithoutCache reports whether some steps are to run although the cache has them.
func runsWithoutCache(def *pb.Definition) bool {
	for _, metadata := range def.Metadata {
		if metadata.IgnoreCache {
			return true
		}
	}
	return false
}

// again returns a definition of what was solved already in the same build: steps that were
// to run without the cache have run, and their cache mounts are not to be emptied twice.
func again(def *pb.Definition) *pb.Definition {
	def = def.CloneVT()
	for _, metadata := range def.Metadata {
		metadata.IgnoreCache = false
	}
	return def
}

// copies returns what an operation does when all of it is a plain copy from the build
// context to the image; else nil.
func (g *graph) copies(in *pb.Input) []*pb.FileActionCopy {
	op := g.ops[in.Digest]
	var copies []*pb.FileActionCopy
	for i, action := range op.GetFile().GetActions() {
		c := action.GetCopy()
		source := inputAt(op, action.SecondaryInput)
		isNext := i == 0 || action.Input == int64(len(op.Inputs)+i-1)
		if c == nil || source == nil || !isNext || !isPlain(c, action.Input) || g.ops[source.Digest].GetSource().GetIdentifier() != contextSource {
			return nil
		}
		copies = append(copies, c)
	}
	return copies
}

// isPlain reports whether a copy has nothing that is not also done by copyPlan. at is
// the action's input, where the names of its owners are looked up.
func isPlain(c *pb.FileActionCopy, at int64) bool {
	for _, owner := range []*pb.UserOpt{c.GetOwner().GetUser(), c.GetOwner().GetGroup()} {
		if name := owner.GetByName(); name != nil && name.Input != at {
			return false
		}
	}
	return c.DirCopyContents && c.FollowSymlink && c.CreateDestPath && !c.AttemptUnpackDockerCompatibility && !c.AlwaysReplaceExistingDestPaths &&
		c.ModeStr == "" && c.Mode <= 0o777 && c.Timestamp == -1 && !strings.ContainsAny(c.Src, `*?[\`) &&
		len(c.IncludePatterns)+len(c.ExcludePatterns)+len(c.RequiredPaths) == 0
}

// contextOf returns the operation that an operation's copies read from.
func (g *graph) contextOf(in *pb.Input) *pb.Op {
	op := g.ops[in.Digest]
	return g.ops[inputAt(op, op.GetFile().Actions[0].SecondaryInput).Digest]
}

// upTo returns the definition whose result is in, nothing for nil.
func (g *graph) upTo(in *pb.Input) (*pb.Definition, error) {
	w := newGraphWriter(g)
	if in != nil {
		w.end(w.copy(in))
	}
	return w.to, w.err
}

func inputAt(op *pb.Op, i int64) *pb.Input {
	if i < 0 || int(i) >= len(op.Inputs) {
		return nil
	}
	return op.Inputs[i]
}

// stepName is what users are told of an operation.
func (g *graph) stepName(in *pb.Input) string {
	metadata := g.def.Metadata[in.Digest]
	if group := metadata.GetProgressGroup(); group != nil {
		return group.Name
	}
	return metadata.GetDescription()["llb.customname"]
}

// copiedBy returns the paths that a part of the graph, def, copies from the build context, sorted; not ok where more of it
// may be read.
func (g *graph) copiedBy(def *pb.Definition) (paths []string, ok bool, err error) {
	part, err := newGraph(def)
	if err != nil {
		return nil, false, err
	}
	switch used := part.contexts(); {
	case len(used) == 0:
		return nil, true, nil
	case len(used) > 1 || len(g.contexts()) != 1:
		return nil, false, nil
	default:
		paths, ok = part.copiedFrom(used[0])
		return paths, ok, nil
	}
}

// narrowedTo returns the graph with the build context cut down to some paths: BuildKit takes in all that is asked for,
// whether anything reads it or not.
func (g *graph) narrowedTo(paths []string) (*graph, error) {
	own := g.contexts()
	if len(own) != 1 {
		return g, nil
	}
	return g.following(paths)
}

// following returns the graph with the build context cut down to these paths; nil is all of it.
func (g *graph) following(paths []string) (*graph, error) {
	text, err := json.Marshal(paths)
	if err != nil {
		return nil, err
	}
	from := &graph{def: g.def, order: g.order, ops: maps.Clone(g.ops)}
	for _, id := range g.contexts() {
		op := g.ops[id].CloneVT()
		source := op.GetSource()
		if source.Attrs == nil {
			source.Attrs = map[string]string{}
		}
		source.Attrs[pb.AttrFollowPaths] = string(text)
		if paths == nil {
			delete(source.Attrs, pb.AttrFollowPaths)
		}
		from.ops[id] = op
	}
	whole, err := from.upTo(g.result())
	if err != nil {
		return nil, err
	}
	return newGraph(whole)
}

// contexts returns the operations that take in the build context.
func (g *graph) contexts() []string {
	var found []string
	for id, op := range g.ops {
		if op.GetSource().GetIdentifier() == contextSource {
			found = append(found, id)
		}
	}
	return found
}

// copiedFrom returns the paths that are copied from a source, sorted; not ok where
// more of it may be read.
func (g *graph) copiedFrom(id string) (paths []string, ok bool) {
	found := map[string]bool{}
	for _, op := range g.ops {
		for i, in := range op.Inputs {
			if in.Digest != id {
				continue
			}
			if op.GetFile() == nil {
				return nil, false
			}
			for _, action := range op.GetFile().Actions {
				if action.SecondaryInput != int64(i) {
					continue
				}
				c := action.GetCopy()
				if c == nil || len(c.IncludePatterns)+len(c.RequiredPaths) > 0 {
					return nil, false
				}
				found[followed(c.Src)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found)), len(found) > 0 && !found[""]
}

// followed is what has to be asked for to have what a path stands for. A pattern is asked
// for in a path's last part alone.
func followed(name string) string {
	parts := strings.Split(strings.Trim(name, "/"), "/")
	i := slices.IndexFunc(parts[:len(parts)-1], func(part string) bool { return strings.ContainsAny(part, `*?[\`) })
	if i >= 0 {
		parts = parts[:i]
	}
	return strings.Join(parts, "/")
}
