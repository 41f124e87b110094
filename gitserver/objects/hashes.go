package objects

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/go-git/go-git/v5/plumbing"
)

// Hashes numbers distinct hashes from zero on, in the order in which they were
// added. The zero value is empty.
type Hashes struct {
	list  []plumbing.Hash
	slots []uint32 // numbers, from one on; zero is free
	shift int
	key   uint64 // random, so that no client can choose hashes that collide
}

// Len returns how many there are.
func (s *Hashes) Len() int { return len(s.list) }

// All returns them by number. The caller must not change it.
func (s *Hashes) All() []plumbing.Hash { return s.list }

func (s *Hashes) slot(h *plumbing.Hash) uint64 {
	return binary.LittleEndian.Uint64(h[:8]) * s.key >> s.shift
}

// same compares without a call, as it is done very often.
func same(a, b *plumbing.Hash) bool {
	return binary.LittleEndian.Uint64(a[:]) == binary.LittleEndian.Uint64(b[:]) &&
		binary.LittleEndian.Uint64(a[8:]) == binary.LittleEndian.Uint64(b[8:]) &&
		binary.LittleEndian.Uint32(a[16:]) == binary.LittleEndian.Uint32(b[16:])
}

// Find returns a hash's number.
func (s *Hashes) Find(h plumbing.Hash) (int, bool) {
	if len(s.list) == 0 {
		return 0, false
	}
	for k := s.slot(&h); ; k = (k + 1) & uint64(len(s.slots)-1) {
		switch i := s.slots[k]; {
		case i == 0:
			return 0, false
		case same(&s.list[i-1], &h):
			return int(i - 1), true
		}
	}
}

// Has reports whether a hash was added.
func (s *Hashes) Has(h plumbing.Hash) bool {
	_, ok := s.Find(h)
	return ok
}

// Add returns a hash's number, and whether it is new.
func (s *Hashes) Add(h plumbing.Hash) (i int, added bool) {
	if 2*len(s.list) >= len(s.slots) {
		s.grow()
	}
	for k := s.slot(&h); ; k = (k + 1) & uint64(len(s.slots)-1) {
		switch i := s.slots[k]; {
		case i == 0:
			s.list = append(s.list, h)
			s.slots[k] = uint32(len(s.list)) //nolint:gosec // no machine has room for more
			return len(s.list) - 1, true
		case same(&s.list[i-1], &h):
			return int(i - 1), false
		}
	}
}

func (s *Hashes) grow() {
	if s.slots == nil {
		s.key = rand.Uint64() | 1 //nolint:gosec // it need not be secret for long
		s.shift = 64 - 4
		s.slots = make([]uint32, 1<<4)
	}
	s.shift--
	s.slots = make([]uint32, 2*len(s.slots))
	for i := range s.list {
		k := s.slot(&s.list[i])
		for s.slots[k] != 0 {
			k = (k + 1) & uint64(len(s.slots)-1)
		}
		s.slots[k] = uint32(i + 1) //nolint:gosec // as in Add
	}
}
