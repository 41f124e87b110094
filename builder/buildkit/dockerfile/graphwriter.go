package dockerfile

import (
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	"google.golang.org/protobuf/proto"
)

// graphWriter makes a definition of another's operations; it keeps its first error.
type graphWriter struct {
	from    *graph
	to      *pb.Definition
	renamed map[string]string
	err     error
}

func newGraphWriter(from *graph) *graphWriter {
	return &graphWriter{from: from, renamed: map[string]string{}, to: &pb.Definition{Metadata: map[string]*pb.OpMetadata{}, Source: &pb.Source{
		Infos: from.def.GetSource().GetInfos(), Locations: map[string]*pb.Locations{},
	}}}
}

// copy adds the operation that an input names, after all that it needs.
func (w *graphWriter) copy(in *pb.Input) *pb.Input {
	id, ok := w.renamed[in.Digest]
	if !ok {
		op := w.from.ops[in.Digest].CloneVT()
		for i, from := range op.Inputs {
			op.Inputs[i] = w.copy(from)
		}
		id = w.put(op, w.from.def.Metadata[in.Digest], in.Digest)
		w.renamed[in.Digest] = id
	}
	return &pb.Input{Digest: id, Index: in.Index}
}

// put adds an operation that stands in the Dockerfile where the one named did,
// and returns its digest.
func (w *graphWriter) put(op *pb.Op, metadata *pb.OpMetadata, like string) string {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(op)
	if err != nil && w.err == nil {
		w.err = err
	}
	id := digest.FromBytes(raw).String()
	if _, ok := w.to.Metadata[id]; ok {
		return id
	}
	w.to.Def = append(w.to.Def, raw)
	if metadata == nil {
		metadata = &pb.OpMetadata{}
	}
	w.to.Metadata[id] = metadata
	if place, ok := w.from.def.GetSource().GetLocations()[like]; ok {
		w.to.Source.Locations[id] = place
	}
	return id
}

// end names the definition's result.
func (w *graphWriter) end(in *pb.Input) {
	w.put(&pb.Op{Inputs: []*pb.Input{in}}, nil, "")
}

// without returns the definition of an image that lacks the layers that are cut:
//
//	merge(state below the first, diff(below, state), …)
//
// with a diff for each layer that is left above. Neither merge nor diff is ever
// carried out: BuildKit exports the layers that they name. What is cut is still made
// where something that is left builds on it.
func (g *graph) without(layers []layerOp, isCut map[int]bool) (*pb.Definition, error) {
	w := newGraphWriter(g)
	first, last := 0, len(layers)
	for !isCut[first] {
		first++
	}
	for last > first && isCut[last-1] {
		last--
	}
	if last <= first { // nothing is left above
		return g.upTo(layers[first].below)
	}
	var parts []*pb.Input
	if below := layers[first].below; below != nil {
		parts = append(parts, w.copy(below))
	}
	for i := first; i < last; i++ {
		if !isCut[i] {
			parts = append(parts, w.layer(layers[i]))
		}
	}
	if len(parts) == 1 {
		w.end(parts[0])
		return w.to, w.err
	}
	merge := &pb.MergeOp{}
	for i := range parts {
		merge.Inputs = append(merge.Inputs, &pb.MergeInput{Input: int64(i)})
	}
	top := layers[last-1]
	w.end(&pb.Input{Digest: w.put(&pb.Op{Inputs: parts, Op: &pb.Op_Merge{Merge: merge}, Constraints: g.ops[top.state.Digest].Constraints}, w.behind(top), top.state.Digest)})
	return w.to, w.err
}

// layer adds what is a layer's own.
func (w *graphWriter) layer(l layerOp) *pb.Input {
	if l.isLinked() {
		return w.copy(l.made)
	}
	state := w.copy(l.state)
	if l.below == nil {
		return state
	}
	w.to.Metadata[state.Digest] = w.grouped(l, false)
	return &pb.Input{Digest: w.put(&pb.Op{
		Inputs:      []*pb.Input{w.copy(l.below), state},
		Op:          &pb.Op_Diff{Diff: &pb.DiffOp{Lower: &pb.LowerDiffInput{Input: 0}, Upper: &pb.UpperDiffInput{Input: 1}}},
		Constraints: w.from.ops[l.state.Digest].Constraints,
	}, w.behind(l), l.state.Digest)}
}

// behind describes an operation that the log does not show: it hides in a layer's step. Where that ignores the cache, so does this:
// BuildKit would else find what it made of an earlier result.
func (w *graphWriter) behind(l layerOp) *pb.OpMetadata { return w.grouped(l, true) }

func (w *graphWriter) grouped(l layerOp, weak bool) *pb.OpMetadata {
	metadata := &pb.OpMetadata{}
	if own := w.from.def.Metadata[l.state.Digest]; own != nil {
		metadata = own.CloneVT()
	}
	if metadata.ProgressGroup == nil {
		metadata.ProgressGroup = &pb.ProgressGroup{Id: l.state.Digest, Name: metadata.Description["llb.customname"]}
	}
	metadata.ProgressGroup.Weak = weak
	return metadata
}
