package dockerfile

import (
	"regexp"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/moby/buildkit/solver/pb"
	"github.com/tonistiigi/fsutil/types"
)

// What is remembered of directories takes some 30 MB at most.
const (
	maxSeenDirs    = 512
	maxSeenEntries = 256 // of one
)

// SeenDirs remembers what is in directories of images whose definition says all of them,
// such as a base by its digest, so that BuildKit is asked for one once and not by each
// build. A nil one remembers nothing.
type SeenDirs struct {
	dirs *lru.Cache[seenDir, map[string]*types.Stat] // which are never changed
}

type seenDir struct{ id, path string }

// NewSeenDirs remembers nothing yet.
func NewSeenDirs() *SeenDirs {
	dirs, _ := lru.New[seenDir, map[string]*types.Stat](maxSeenDirs) // only a size below one is an error
	return &SeenDirs{dirs}
}

// Len returns how many directories are remembered.
func (s *SeenDirs) Len() int { return s.dirs.Len() }

func (s *SeenDirs) get(id, path string) (map[string]*types.Stat, bool) {
	if s == nil {
		return nil, false
	}
	return s.dirs.Get(seenDir{id, path})
}

func (s *SeenDirs) add(id, path string, entries map[string]*types.Stat) {
	if s != nil && len(entries) <= maxSeenEntries {
		s.dirs.Add(seenDir{id, path}, entries)
	}
}

// isDefinite reports whether the definition of a state says all that is in it: neither a
// step that runs decides about it, nor a source that its name does not say the content of.
func (g *graph) isDefinite(state *pb.Input) bool {
	known := map[string]bool{}
	var is func(in *pb.Input) bool
	is = func(in *pb.Input) bool {
		if _, ok := known[in.Digest]; ok {
			return known[in.Digest]
		}
		op := g.ops[in.Digest]
		definite := false
		switch kind := op.Op.(type) {
		case *pb.Op_Source:
			definite = pinned.MatchString(kind.Source.Identifier)
		case *pb.Op_File, *pb.Op_Merge, *pb.Op_Diff:
			definite = true
		}
		for _, from := range op.Inputs {
			definite = definite && is(from)
		}
		known[in.Digest] = definite
		return definite
	}
	return is(state)
}

// pinned is the name of an image that says its digest.
var pinned = regexp.MustCompile(`^docker-image://[^@]+@sha256:[0-9a-f]{64}$`)
