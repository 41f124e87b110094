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
func (h *Hashes) Len() int { return len(h.list) }

// All returns them by number. The caller must not change it.
func (h *Hashes) All() []plumbing.Hash { return h.list }

func (h *Hashes) slot(hash *plumbing.Hash) uint64 {
	return binary.LittleEndian.Uint64(hash[:8]) * h.key >> h.shift
}

// same compares without a call, as it is done very often.
func same(a, b *plumbing.Hash) bool {
	return binary.LittleEndian.Uint64(a[:]) == binary.LittleEndian.Uint64(b[:]) &&
		binary.LittleEndian.Uint64(a[8:]) == binary.LittleEndian.Uint64(b[8:]) &&
		binary.LittleEndian.Uint32(a[16:]) == binary.LittleEndian.Uint32(b[16:])
}

// Find returns a hash's number.
func (h *Hashes) Find(hash plumbing.Hash) (int, bool) {
	if len(h.list) == 0 {
		return 0, false
	}
	for k := h.slot(&hash); ; k = (k + 1) & uint64(len(h.slots)-1) {
		switch i := h.slots[k]; {
		case i == 0:
			return 0, false
		case same(&h.list[i-1], &hash):
			return int(i - 1), true
		}
	}
}

// Has reports whether a hash was added.
func (h *Hashes) Has(hash plumbing.Hash) bool {
	_, ok := h.Find(hash)
	return ok
}

// Add returns a hash's number, and whether it is new.
func (h *Hashes) Add(hash plumbing.Hash) (i int, added bool) {
	if 2*len(h.list) >= len(h.slots) {
		h.grow()
	}
	for k := h.slot(&hash); ; k = (k + 1) & uint64(len(h.slots)-1) {
		switch i := h.slots[k]; {
		case i == 0:
			h.list = append(h.list, hash)
			h.slots[k] = uint32(len(h.list)) //nolint:gosec // no machine has room for more
			return len(h.list) - 1, true
		case same(&h.list[i-1], &hash):
			return int(i - 1), false
		}
	}
}

func (h *Hashes) grow() {
	if h.slots == nil {
		h.key = rand.Uint64() | 1 //nolint:gosec // it need not be secret for long
		h.shift = 64 - 4
		h.slots = make([]uint32, 1<<4)
	}
	h.shift--
	h.slots = make([]uint32, 2*len(h.slots))
	for i := range h.list {
		k := h.slot(&h.list[i])
		for h.slots[k] != 0 {
			k = (k + 1) & uint64(len(h.slots)-1)
		}
		h.slots[k] = uint32(i + 1) //nolint:gosec // as in Add
	}
}
