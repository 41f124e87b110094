package objects

import (
	"bytes"
	"encoding/binary"
	"sort"

	"github.com/go-git/go-git/v5/plumbing"
)

// packIndex is a version 2 pack index, searched in place.
type packIndex struct {
	n       int
	fanout  []byte // 256 counts
	names   []byte // n hashes, sorted
	offsets []byte // n 31-bit offsets, or indexes into long
	long    []byte // 64-bit offsets
}

const indexHeader = 8

func parsePackIndex(name string, data []byte) (*packIndex, error) {
	if len(data) < indexHeader+1024+40 || !bytes.Equal(data[:8], []byte{0xff, 't', 'O', 'c', 0, 0, 0, 2}) {
		return nil, corrupt("%s has no version 2 pack index", name)
	}
	x := &packIndex{fanout: data[indexHeader : indexHeader+1024]}
	x.n = int(binary.BigEndian.Uint32(x.fanout[1020:]))
	rest := data[indexHeader+1024 : len(data)-40]
	if len(rest) < x.n*28 {
		return nil, corrupt("the index of %s is truncated", name)
	}
	x.names, rest = rest[:x.n*20], rest[x.n*24:]
	x.offsets, x.long = rest[:x.n*4], rest[x.n*4:]
	return x, nil
}

// name returns the name of an object by its number.
func (p *packIndex) name(i int) plumbing.Hash { return plumbing.Hash(p.names[i*20:]) }

func (p *packIndex) find(h plumbing.Hash) (offset int64, ok bool) {
	low := 0
	if h[0] > 0 {
		low = int(binary.BigEndian.Uint32(p.fanout[4*(int(h[0])-1):]))
	}
	high := int(binary.BigEndian.Uint32(p.fanout[4*int(h[0]):]))
	if low > high || high > p.n {
		return 0, false
	}
	i := p.search(low, high, h)
	if i >= high || !bytes.Equal(p.names[i*20:i*20+20], h[:]) {
		return 0, false
	}
	return p.offset(i)
}

// search returns the first of the names from low to high that is not below h. Names
// are spread evenly, so it begins near where h should be.
func (p *packIndex) search(low, high int, h plumbing.Hash) int {
	const near = 16
	want := binary.BigEndian.Uint64(h[:])
	below := func(i int) bool {
		at := p.names[i*20 : i*20+20]
		have := binary.BigEndian.Uint64(at)
		return have < want || have == want && bytes.Compare(at, h[:]) < 0
	}
	guess := low + int(uint64(high-low)*(want<<8>>32)>>32) //nolint:gosec // a part of what is there
	if i := guess - near; i > low && below(i) {
		low = i + 1
	}
	if i := guess + near; i < high && !below(i) {
		high = i
	}
	return low + sort.Search(high-low, func(i int) bool { return !below(low + i) })
}

// offset returns where the i-th object of the sorted names begins.
func (p *packIndex) offset(i int) (offset int64, ok bool) {
	offset = int64(binary.BigEndian.Uint32(p.offsets[i*4:]))
	if offset&(1<<31) != 0 {
		at := int(offset&^(1<<31)) * 8
		if at+8 > len(p.long) {
			return 0, false
		}
		offset = int64(binary.BigEndian.Uint64(p.long[at:]))
	}
	return offset, true
}
