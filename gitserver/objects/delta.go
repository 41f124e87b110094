package objects

import (
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// What the search for deltas may take.
const (
	// deltaWindow is how many objects one is compared with, as git's own window.
	deltaWindow = 10
	// maxChain is how many deltas in a row are made, as git's own depth.
	maxChain = 50
	// maxSearched is the size in bytes of objects of which deltas are looked for,
	// windowBytes of all that a window holds.
	maxSearched = 16 << 20
	windowBytes = 64 << 20
	// maxCompared is how many bytes one search compares in all: some 20 seconds.
	maxCompared = 1 << 30
)

// deltaBase is an object that others may be stored as deltas of.
type deltaBase struct {
	object int32
	pack   *packFile // that holds it whole, or nil
	depth  uint8     // how many deltas it is made of
	data   []byte
}

// deltaSearch finds, for one object after the other, another before it that it is
// like. Its memory is windowBytes and some four times the largest object.
type deltaSearch struct {
	budget   *Budget
	window   []deltaBase // the latest last
	held     int
	compared int
	group    deltaGroup
}

// deltaGroup is what objects share that are likely to be alike: the type, and the
// last part of their path.
type deltaGroup struct {
	typ  plumbing.ObjectType
	name uint32
}

// enter begins another group, if it is one.
func (s *deltaSearch) enter(g deltaGroup) {
	if g != s.group {
		s.window, s.held, s.group = s.window[:0], 0, g
	}
}

// keep offers an object to those that come later.
func (s *deltaSearch) keep(b deltaBase) {
	if len(b.data) < minDeltified || len(b.data) > maxSearched || b.depth >= maxChain {
		return
	}
	s.window = append(s.window, b)
	s.held += len(b.data)
	for len(s.window) > deltaWindow || s.held > windowBytes {
		s.held -= len(s.window[0].data)
		s.window[0] = deltaBase{}
		s.window = s.window[1:]
	}
}

// find returns the shortest delta for an object, and its base; nil if none is worth it. What
// one pack holds whole was compared by the pack's maker.
func (s *deltaSearch) find(data []byte, in *packFile) (best []byte, base deltaBase) {
	if len(data) < minDeltified || len(data) > maxSearched {
		return nil, base
	}
	limit := len(data)/2 - 20 // git's
	for i := len(s.window) - 1; i >= 0 && s.compared < maxCompared; i-- {
		b := s.window[i]
		size := len(b.data)
		if in != nil && b.pack == in || size < len(data)/32 || len(data)-size >= limit {
			continue
		}
		s.compared += len(data) + size
		delta := s.budget.makeDelta(b.data, data)
		if len(delta) < limit && len(delta) >= shortestDelta {
			best, base, limit = delta, b, len(delta)
		}
		if best != nil && len(best) < len(data)/goodDelta {
			break
		}
	}
	return best, base
}

// goodDelta is which part of an object's size a delta has with which the search ends.
const goodDelta = 100

// makeDelta waits for its turn.
func (b *Budget) makeDelta(base, data []byte) []byte {
	defer b.awaitDelta()()
	return packfile.DiffDelta(base, data)
}
