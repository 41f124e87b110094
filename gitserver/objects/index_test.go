package objects

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
)

// Names are found wherever they stand, also when a client has made them be near one
// another.
func TestFindInIndex(t *testing.T) {
	for name, spread := range map[string]uint64{"even": 1<<64 - 1, "near": 1<<30 - 1, "high": 1<<64 - 1<<10} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			var all []plumbing.Hash
			for i := range 5000 {
				var h plumbing.Hash
				binary.BigEndian.PutUint64(h[:], r.Uint64()&spread)
				binary.BigEndian.PutUint32(h[16:], uint32(i))
				all = append(all, h)
			}
			slices.SortFunc(all, func(a, b plumbing.Hash) int { return bytes.Compare(a[:], b[:]) })
			x := &packIndex{n: len(all), fanout: make([]byte, 1024)}
			for i, h := range all {
				x.names = append(x.names, h[:]...)
				x.offsets = binary.BigEndian.AppendUint32(x.offsets, uint32(i))
				for b := int(h[0]); b < 256; b++ {
					binary.BigEndian.PutUint32(x.fanout[4*b:], uint32(i+1))
				}
			}
			for i, h := range all {
				if at, ok := x.find(h); !ok || at != int64(i) {
					t.Fatalf("%s is at %d, %t; want %d", h, at, ok, i)
				}
				h[15] ^= 1
				if _, ok := x.find(h); ok {
					t.Fatalf("found %s", h)
				}
			}
		})
	}
}
