package objects

import (
	"bytes"
	"encoding/binary"
	"os"
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

func readPackIndex(path string) (*packIndex, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(data) < indexHeader+1024+40 || !bytes.Equal(data[:8], []byte{0xff, 't', 'O', 'c', 0, 0, 0, 2}) {
		return nil, corrupt("%s is no version 2 pack index", path)
	}
	x := &packIndex{fanout: data[indexHeader : indexHeader+1024]}
	x.n = int(binary.BigEndian.Uint32(x.fanout[1020:]))
	rest := data[indexHeader+1024 : len(data)-40]
	if len(rest) < x.n*28 {
		return nil, corrupt("%s is cut off", path)
	}
	x.names, rest = rest[:x.n*20], rest[x.n*24:]
	x.offsets, x.long = rest[:x.n*4], rest[x.n*4:]
	return x, nil
}

func (x *packIndex) find(h plumbing.Hash) (offset int64, ok bool) {
	low := 0
	if h[0] > 0 {
		low = int(binary.BigEndian.Uint32(x.fanout[4*(int(h[0])-1):]))
	}
	high := int(binary.BigEndian.Uint32(x.fanout[4*int(h[0]):]))
	if low > high || high > x.n {
		return 0, false
	}
	i := low + sort.Search(high-low, func(i int) bool {
		at := (low + i) * 20
		return bytes.Compare(x.names[at:at+20], h[:]) >= 0
	})
	if i >= high || !bytes.Equal(x.names[i*20:i*20+20], h[:]) {
		return 0, false
	}
	return x.offset(i)
}

// offset returns where the i-th object of the sorted names begins.
func (x *packIndex) offset(i int) (offset int64, ok bool) {
	offset = int64(binary.BigEndian.Uint32(x.offsets[i*4:]))
	if offset&(1<<31) != 0 {
		at := int(offset&^(1<<31)) * 8
		if at+8 > len(x.long) {
			return 0, false
		}
		offset = int64(binary.BigEndian.Uint64(x.long[at:]))
	}
	return offset, true
}
