package buildkit

import (
	"context"
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	"github.com/tonistiigi/fsutil"
	"google.golang.org/protobuf/proto"
)

// contextSource is the build context's name among LLB's sources.
const contextSource = "local://context"

// maxParts bounds the layers that splitting makes of one image's COPYs: the
// kernel stacks, and registries' clients take, a hundred or so.
const maxParts = 32

// graph is a build's steps as the frontend made them of a Dockerfile: LLB, a list
// of operations in which each names those it builds on by their digests.
//
// BuildKit runs a COPY of a changed directory as a whole: it copies every file
// again, archives the layer again, and the layer is new to every client. A split
// COPY becomes
//
//	merge(base, diff(base, copy₁(base)), …, diff(base, copyₙ(base)))
//
// where each copy takes another part of the files onto the same base. So only a
// part that changed is copied, archived, compressed, stored and pulled again.
// Every part is copied by BuildKit, onto what is there, by the rules of COPY.
type graph struct {
	def   *pb.Definition
	order []string // digests
	ops   map[string]*pb.Op
}

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
	return g, nil
}

// plan divides the files of each operation that may be split.
func (g *graph) plan(ctx context.Context, files fsutil.FS) (map[string]division, error) {
	var copies []string
	for _, id := range g.order {
		if g.copied(id) != nil {
			copies = append(copies, id)
		}
	}
	plan := map[string]division{}
	for _, id := range copies {
		dir := strings.Trim(g.copied(id).Src, "/")
		tree, err := g.sourceOf(id, files)
		if err != nil {
			return nil, err
		}
		d, err := divide(ctx, tree, dir, maxParts/len(copies))
		if err != nil {
			return nil, err
		}
		if len(d.parts) > 1 && !slices.ContainsFunc(slices.Concat(d.parts...), unspeakable) {
			plan[id] = d
		}
	}
	return plan, nil
}

// unspeakable names can't be told to BuildKit, whose operations are UTF-8.
func unspeakable(name string) bool { return !utf8.ValidString(name) }

// copied returns what an operation does when it is a plain COPY of one directory
// of the build context; else nil. A COPY that sets modes sets those of the
// directories that it makes on its way too, which parts of it would not.
func (g *graph) copied(id string) *pb.FileActionCopy {
	op := g.ops[id]
	file := op.GetFile()
	if file == nil || len(file.Actions) != 1 {
		return nil
	}
	from := file.Actions[0].SecondaryInput
	c := file.Actions[0].GetCopy()
	if c == nil || from < 0 || int(from) >= len(op.Inputs) {
		return nil
	}
	source := g.ops[op.Inputs[from].Digest].GetSource()
	if source.GetIdentifier() != contextSource || !c.DirCopyContents || c.AttemptUnpackDockerCompatibility ||
		c.AlwaysReplaceExistingDestPaths || c.Mode != -1 || c.ModeStr != "" || strings.ContainsAny(c.Src, `*?[\`) ||
		len(c.IncludePatterns)+len(c.ExcludePatterns)+len(c.RequiredPaths) > 0 {
		return nil
	}
	return c
}

// sourceOf returns the files that BuildKit reads for a COPY of the context:
// without what .dockerignore names.
func (g *graph) sourceOf(id string, files fsutil.FS) (fsutil.FS, error) {
	op := g.ops[id]
	attrs := g.ops[op.Inputs[op.GetFile().Actions[0].SecondaryInput].Digest].GetSource().Attrs
	filter := &fsutil.FilterOpt{}
	for name, list := range map[string]*[]string{
		pb.AttrIncludePatterns: &filter.IncludePatterns,
		pb.AttrExcludePatterns: &filter.ExcludePatterns,
		pb.AttrFollowPaths:     &filter.FollowPaths,
	} {
		if text, ok := attrs[name]; ok {
			if err := json.Unmarshal([]byte(text), list); err != nil {
				return nil, err
			}
		}
	}
	return fsutil.NewFilterFS(files, filter)
}

// layers returns, from the top of the image down to its base image, how many
// layers each one becomes.
func (g *graph) layers(plan map[string]division) []int {
	var layers []int
	count := func(id string) { layers = append(layers, max(1, len(plan[id].parts))) }
	for in := g.ops[g.order[len(g.order)-1]].Inputs[0]; in != nil; {
		op := g.ops[in.Digest]
		switch kind := op.Op.(type) {
		case *pb.Op_File:
			count(in.Digest)
			in = inputAt(op, kind.File.Actions[0].Input)
		case *pb.Op_Exec:
			count(in.Digest)
			root := slices.IndexFunc(kind.Exec.Mounts, func(m *pb.Mount) bool { return m.Dest == pb.RootMount })
			in = inputAt(op, kind.Exec.Mounts[root].Input)
		case *pb.Op_Merge: // COPY --link: base and copy
			for _, linked := range slices.Backward(op.Inputs[1:]) {
				count(linked.Digest)
			}
			in = op.Inputs[0]
		default:
			in = nil
		}
	}
	return layers
}

// base returns what a file operation builds on, nil for nothing.
func (g *graph) base(id string) *pb.Input {
	return inputAt(g.ops[id], g.ops[id].GetFile().Actions[0].Input)
}

// upTo returns the definition whose result is in.
func (g *graph) upTo(in *pb.Input) (*pb.Definition, error) {
	needed := map[string]bool{in.Digest: true}
	for _, id := range slices.Backward(g.order) {
		for _, from := range g.ops[id].Inputs {
			needed[from.Digest] = needed[from.Digest] || needed[id]
		}
	}
	w := newGraphWriter(g.def)
	for _, id := range g.order {
		if needed[id] {
			w.put(g.ops[id], g.def.Metadata[id], id)
		}
	}
	w.put(&pb.Op{Inputs: []*pb.Input{in}}, nil, "")
	return w.to, w.err
}

func inputAt(op *pb.Op, i int64) *pb.Input {
	if i < 0 || int(i) >= len(op.Inputs) {
		return nil
	}
	return op.Inputs[i]
}

// split returns the definition with the planned operations split.
func (g *graph) split(plan map[string]division) (*pb.Definition, error) {
	w := newGraphWriter(g.def)
	renamed := map[string]string{}
	for _, id := range g.order {
		op := g.ops[id].CloneVT()
		for _, in := range op.Inputs {
			in.Digest = renamed[in.Digest]
		}
		if d, ok := plan[id]; ok {
			renamed[id] = w.putParts(op, id, d.parts)
		} else {
			renamed[id] = w.put(op, g.def.Metadata[id], id)
		}
	}
	return w.to, w.err
}

// graphWriter makes a definition; it keeps its first error.
type graphWriter struct {
	from, to *pb.Definition
	err      error
}

func newGraphWriter(from *pb.Definition) *graphWriter {
	return &graphWriter{from: from, to: &pb.Definition{Metadata: map[string]*pb.OpMetadata{}, Source: &pb.Source{
		Infos: from.GetSource().GetInfos(), Locations: map[string]*pb.Locations{},
	}}}
}

// put adds an operation that stands in the Dockerfile where the one named did,
// and returns its digest.
func (w *graphWriter) put(op *pb.Op, metadata *pb.OpMetadata, like string) string {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(op)
	if err != nil && w.err == nil {
		w.err = err
	}
	id := digest.FromBytes(raw).String()
	w.to.Def = append(w.to.Def, raw)
	if metadata != nil {
		w.to.Metadata[id] = metadata
	}
	if place, ok := w.from.GetSource().GetLocations()[like]; ok {
		w.to.Source.Locations[id] = place
	}
	return id
}

// putParts adds what a COPY becomes. All of it is one step for whoever watches:
// the merge stands for the whole, as in COPY --link.
func (w *graphWriter) putParts(op *pb.Op, id string, parts [][]string) string {
	whole := w.from.Metadata[id].CloneVT()
	whole.ProgressGroup = &pb.ProgressGroup{Id: id, Name: whole.Description["llb.customname"]}
	piece := whole.CloneVT()
	piece.ProgressGroup.Weak = true

	merge := &pb.MergeOp{}
	merged := &pb.Op{Op: &pb.Op_Merge{Merge: merge}, Constraints: op.Constraints}
	add := func(in *pb.Input) {
		merge.Inputs = append(merge.Inputs, &pb.MergeInput{Input: int64(len(merged.Inputs))})
		merged.Inputs = append(merged.Inputs, in)
	}
	base := inputAt(op, op.GetFile().Actions[0].Input)
	if base != nil {
		add(base)
	}
	for _, part := range parts {
		layer := &pb.Input{Digest: w.put(copyOf(op, part), piece, id)}
		if base != nil {
			layer = &pb.Input{Digest: w.put(&pb.Op{
				Inputs:      []*pb.Input{base, layer},
				Op:          &pb.Op_Diff{Diff: &pb.DiffOp{Lower: &pb.LowerDiffInput{Input: 0}, Upper: &pb.UpperDiffInput{Input: 1}}},
				Constraints: op.Constraints,
			}, piece, id)}
		}
		add(layer)
	}
	return w.put(merged, whole, id)
}

// copyOf is a COPY of a part only, with an action for each directory that some of
// it is in. BuildKit looks up, and writes down, what it knows of all the files once
// for each action, so one for each of its names would be too many.
func copyOf(op *pb.Op, part []string) *pb.Op {
	only := op.CloneVT()
	template := only.GetFile().Actions[0]
	var actions []*pb.FileAction
	add := func(change func(*pb.FileActionCopy)) {
		action := template.CloneVT()
		c := action.GetCopy()
		c.FollowSymlink, c.AllowWildcard = false, false
		change(c)
		action.Output = int64(pb.SkipOutput)
		if len(actions) > 0 {
			action.Input = int64(len(op.Inputs) + len(actions) - 1)
		}
		actions = append(actions, action)
	}
	inDir := map[string][]string{}
	for _, name := range part {
		dir, base := path.Split(name)
		if isPattern(base) {
			add(func(c *pb.FileActionCopy) {
				c.Src, c.Dest, c.DirCopyContents = path.Join("/", c.Src, name), path.Join(c.Dest, dir)+"/", false
			})
			continue
		}
		inDir[dir] = append(inDir[dir], base)
	}
	for _, dir := range slices.Sorted(maps.Keys(inDir)) {
		add(func(c *pb.FileActionCopy) {
			c.Src, c.Dest, c.IncludePatterns = path.Join("/", c.Src, dir), path.Join(c.Dest, dir)+"/", inDir[dir]
		})
	}
	actions[len(actions)-1].Output = template.Output
	only.GetFile().Actions = actions
	return only
}

// isPattern tells whether a name may mean another one, or none, as a pattern.
func isPattern(name string) bool {
	return strings.ContainsAny(name, `*?[]\!^`) || strings.TrimSpace(name) != name
}
