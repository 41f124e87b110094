//go:build linux

package dockerfile

import (
	"testing"

	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	"google.golang.org/protobuf/proto"
)

// definitionOf makes a definition of bytes, four for each operation: what it is, two of those before it that
// it builds on, and which of them it says that it reads.
func definitionOf(data []byte) *pb.Definition {
	def := &pb.Definition{Metadata: map[string]*pb.OpMetadata{}}
	var made []string
	put := func(op *pb.Op) {
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(op)
		if err != nil {
			panic(err)
		}
		def.Def = append(def.Def, raw)
		made = append(made, digest.FromBytes(raw).String())
		def.Metadata[made[len(made)-1]] = &pb.OpMetadata{IgnoreCache: len(raw)%7 == 0}
	}
	for n := int64(0); len(data) >= 4; data, n = data[4:], n+1 {
		op := &pb.Op{Platform: &pb.Platform{OSVersion: string(rune('a' + n%26))}}
		for _, at := range data[1:3] {
			switch k := int(at); {
			case k < len(made):
				op.Inputs = append(op.Inputs, &pb.Input{Digest: made[k]})
			case k == 255:
				op.Inputs = append(op.Inputs, &pb.Input{Digest: digest.FromBytes(data).String()})
			}
		}
		first, second := int64(data[3]&15)-1, int64(data[3]>>4)-1
		copyOf := &pb.FileActionCopy{Src: "/a", Dest: "/b", DirCopyContents: true, FollowSymlink: true, CreateDestPath: true, Timestamp: -1}
		switch data[0] % 8 {
		case 0:
			op.Op = &pb.Op_Source{Source: &pb.SourceOp{Identifier: contextSource, Attrs: map[string]string{"local.unique": "x"}}}
		case 1:
			op.Op = &pb.Op_Source{Source: &pb.SourceOp{Identifier: contextSource}}
		case 2:
			op.Op = &pb.Op_File{File: &pb.FileOp{Actions: []*pb.FileAction{{Input: first, SecondaryInput: second, Action: &pb.FileAction_Copy{Copy: copyOf}}}}}
		case 3:
			op.Op = &pb.Op_File{File: &pb.FileOp{}}
		case 4:
			op.Op = &pb.Op_Exec{Exec: &pb.ExecOp{Meta: &pb.Meta{}, Mounts: []*pb.Mount{{Input: first, Dest: pb.RootMount}, {Input: second, Dest: "/x", MountType: pb.MountType_CACHE}}}}
		case 5:
			op.Op = &pb.Op_Exec{Exec: &pb.ExecOp{Mounts: []*pb.Mount{{Input: first, Dest: "/x"}}}}
		case 6:
			op.Op = &pb.Op_Merge{Merge: &pb.MergeOp{}}
		}
		put(op)
	}
	return def
}

// FuzzGraph holds that a definition, which comes from where Dockerfiles are interpreted, is refused, or
// can be taken apart and put together again.
func FuzzGraph(f *testing.F) {
	f.Add([]byte{0, 255, 255, 0, 2, 254, 0, 0x10, 4, 1, 254, 1, 7, 2, 254, 0})
	f.Add([]byte{0, 254, 254, 0, 2, 0, 254, 0x10, 2, 1, 0, 0x21, 7, 2, 254, 0})
	f.Add([]byte{3, 254, 254, 0, 7, 0, 254, 0})
	f.Add([]byte{5, 254, 254, 0, 7, 0, 254, 0})
	f.Add([]byte{7, 254, 254, 0})
	f.Add([]byte{1, 254, 254, 0, 2, 0, 254, 0x10, 7, 1, 254, 0})
	f.Add([]byte{0, 254, 254, 0, 2, 0, 254, 0x10, 6, 0, 1, 0, 7, 2, 254, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 200 {
			return
		}
		def := definitionOf(data)
		g, err := newGraph(def)
		if err != nil {
			return
		}
		g.behindCacheMounts()
		if _, err := g.marked(map[string]int64{g.order0(): 1}); err != nil {
			t.Fatalf("marked: %v", err)
		}
		layers := g.chain()
		if len(layers) > len(def.Def) {
			t.Fatalf("%d layers of %d operations", len(layers), len(def.Def))
		}
		whole, err := g.upTo(g.result())
		if err != nil {
			t.Fatal(err)
		}
		if len(whole.Def) > len(def.Def)+1 {
			t.Errorf("%d operations became %d", len(def.Def), len(whole.Def))
		}
		if again, err := newGraph(whole); err != nil || len(again.chain()) != len(layers) {
			t.Fatalf("what was written again has other layers: %v", err)
		}
		paths, _, err := g.copiedBy(whole)
		if err == nil {
			_, err = g.narrowedTo(paths)
		}
		if err != nil {
			t.Fatalf("narrowed: %v", err)
		}
		for i, layer := range layers {
			if copies := g.copies(layer.made); copies != nil && g.contextOf(layer.made).GetSource().GetIdentifier() != contextSource {
				t.Errorf("layer %d copies %v from elsewhere", i, copies)
			}
			left, err := g.without(layers, map[int]bool{i: true})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := newGraph(left); err != nil {
				t.Errorf("without layer %d: %v", i, err)
			}
		}
	})
}

func (g *graph) order0() string {
	if len(g.order) == 0 {
		return ""
	}
	return g.order[0]
}
