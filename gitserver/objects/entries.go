package objects

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sort"
	"sync/atomic"

	"github.com/go-git/go-git/v5/plumbing"
)

// entry is one object of a received pack. A pack may have millions of them, so
// what it takes is counted: 40 bytes.
type entry struct {
	hash  plumbing.Hash // zero until resolved
	crc   uint32
	low   uint32 // of the offset
	kid   int32  // the first delta that has this object as base, noEntry for none
	next  int32  // of a delta: the next one with the same base, noEntry for none
	high  uint8  // of the offset
	typ   plumbing.ObjectType
	delta bool // as it is stored; typ is then set when it is resolved
}

const noEntry = -1

// maxOffset is where an object may begin at most.
const maxOffset = 1 << 40

func (e *entry) offset() int64 { return int64(e.high)<<32 | int64(e.low) }

func (e *entry) setOffset(offset int64) { e.high, e.low = uint8(offset>>32), uint32(offset) }

// entryList holds a pack's entries by offset. It grows without a copy of
// what it has.
type entryList struct {
	chunks [][]entry
	n      int
}

const (
	chunkBits = 14
	chunkSize = 1 << chunkBits
)

func (l *entryList) at(i int32) *entry { return &l.chunks[i>>chunkBits][i&(chunkSize-1)] }

func (l *entryList) add(e entry) {
	if l.n%chunkSize == 0 {
		l.chunks = append(l.chunks, make([]entry, 0, chunkSize))
	}
	last := &l.chunks[len(l.chunks)-1]
	*last = append(*last, e)
	l.n++
}

// startingAt finds the entry at an offset. It looks from the end, as bases
// stand near their deltas.
func (l *entryList) startingAt(offset int64) (int32, bool) {
	high, step := l.n, 1
	low := max(0, high-step)
	for low > 0 && l.at(int32(low)).offset() > offset {
		step *= 2
		high, low = low, max(0, low-step)
	}
	i := low + sort.Search(high-low, func(k int) bool { return l.at(int32(low+k)).offset() >= offset })
	return int32(i), i < l.n && l.at(int32(i)).offset() == offset
}

// byHash returns the entries sorted by hash. The first two bytes put them in
// buckets of a few: hashes are spread evenly.
func (l *entryList) byHash() []int32 {
	bucket := func(i int32) int { return int(binary.BigEndian.Uint16(l.at(i).hash[:])) }
	starts := make([]int32, 1<<16+1)
	for i := range int32(l.n) {
		starts[bucket(i)+1]++
	}
	for b := range 1 << 16 {
		starts[b+1] += starts[b]
	}
	sorted := make([]int32, l.n)
	filled := slices.Clone(starts)
	for i := range int32(l.n) {
		b := bucket(i)
		sorted[filled[b]] = i
		filled[b]++
	}
	for b := range 1 << 16 {
		slices.SortFunc(sorted[starts[b]:starts[b+1]], func(x, y int32) int {
			return bytes.Compare(l.at(x).hash[:], l.at(y).hash[:])
		})
	}
	return sorted
}

// entryTable finds entries by hash. They may be added and looked up by several
// goroutines at once.
type entryTable struct {
	list  *entryList
	slots []atomic.Int32 // entries, from one on; zero is free
}

// newEntryTable makes a table with room for all entries of a list, and some more.
func newEntryTable(list *entryList, more int) *entryTable {
	size := 16
	for size < (list.n+more)*3/2 {
		size *= 2
	}
	return &entryTable{list, make([]atomic.Int32, size)}
}

func (t *entryTable) slot(h *plumbing.Hash) int {
	return int(binary.LittleEndian.Uint32(h[4:])) & (len(t.slots) - 1)
}

// add publishes an entry, whose hash and type no longer change. A pack has no object twice:
// which of the two is read would be left to chance, and many of one make every look-up
// slow. Errors: ErrCorrupt.
func (t *entryTable) add(i int32) error {
	h := t.list.at(i).hash
	k := t.slot(&h)
	for !t.slots[k].CompareAndSwap(0, i+1) {
		if t.list.at(t.slots[k].Load()-1).hash == h {
			return corrupt("object %s is in the pack twice", h)
		}
		k = (k + 1) & (len(t.slots) - 1)
	}
	return nil
}

// find returns nil for what was not added.
func (t *entryTable) find(h plumbing.Hash) *entry {
	if t == nil {
		return nil
	}
	for k := t.slot(&h); ; k = (k + 1) & (len(t.slots) - 1) {
		i := t.slots[k].Load()
		if i == 0 {
			return nil
		}
		if e := t.list.at(i - 1); e.hash == h {
			return e
		}
	}
}
