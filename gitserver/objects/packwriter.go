package objects

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/klauspost/compress/zlib"
)

// PackOptions says what the reader of a pack understands, and what it has.
type PackOptions struct {
	// OffsetDeltas reports that it knows deltas that name their base by its place.
	OffsetDeltas bool
	// Has, for a reader that takes thin packs, reports whether it has an object, on
	// which deltas may be sent.
	Has func(plumbing.Hash) bool
	// Near names, for objects that are not stored as deltas, one that the reader
	// has and that is like it. Without Has it is not used.
	Near map[plumbing.Hash]plumbing.Hash
}

// WritePack sends objects as one pack. Compressed bytes and deltas are copied
// as they are stored, a delta after its base; memory does not grow with the objects'
// sizes but for those whose delta base is not sent and those that become deltas.
func (s *Store) WritePack(ctx context.Context, w io.Writer, hashes []plumbing.Hash, o PackOptions) error {
	buf := bufio.NewWriterSize(w, 60<<10)
	p := &packWriter{PackOptions: o, store: s, w: buf, sum: sha1.New()}
	order := p.arrange(hashes)
	if int64(len(order)) > 1<<32-1 {
		return fmt.Errorf("%d objects don't fit in a pack", len(order))
	}
	header := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(len(order)))
	if _, err := p.Write(header); err != nil {
		return err
	}
	for _, i := range order {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.object(i); err != nil {
			return err
		}
	}
	if _, err := buf.Write(p.sum.Sum(nil)); err != nil {
		return err
	}
	return buf.Flush()
}

type packWriter struct {
	PackOptions
	store     *Store
	w         io.Writer
	sum       hash.Hash
	n         int64 // written so far
	names     Hashes
	locations []location // by number
	window    window
	z         *zlib.Writer
}

// location is where an object is stored, and where it went.
type location struct {
	pack   *packFile // nil: it has a file of its own
	offset int64
	sent   int64 // offset in the new pack; unsent or underWay before
}

const (
	unsent   = 0
	underWay = -1 // its base is being written
)

// arrange returns the objects' numbers in the order in which they are stored,
// which is the order that is fast to read, the newest pack first.
func (p *packWriter) arrange(hashes []plumbing.Hash) []int32 {
	p.locations = make([]location, 0, len(hashes))
	order := make([]int32, 0, len(hashes))
	for _, h := range hashes {
		if i, added := p.names.Add(h); added {
			pack, offset := p.store.locate(h)
			p.locations = append(p.locations, location{pack: pack, offset: offset})
			order = append(order, int32(i)) //nolint:gosec // fewer than Hashes can number
		}
	}
	rank := p.store.ranks()
	slices.SortStableFunc(order, func(a, b int32) int {
		x, y := &p.locations[a], &p.locations[b]
		if x.pack != y.pack {
			return cmp.Compare(rank[y.pack], rank[x.pack])
		}
		return cmp.Compare(x.offset, y.offset)
	})
	return order
}

// ranks numbers the packs from the oldest to the newest.
func (s *Store) ranks() map[*packFile]int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rank := make(map[*packFile]int, len(s.packs))
	for i, p := range s.packs {
		rank[p] = i + 1
	}
	return rank
}

func (p *packWriter) Write(b []byte) (int, error) {
	p.sum.Write(b)
	n, err := p.w.Write(b)
	p.n += int64(n)
	return n, err
}

// object writes an object, after its base.
func (p *packWriter) object(i int32) error {
	at := &p.locations[i]
	if at.sent != unsent {
		return nil
	}
	if at.pack == nil {
		return p.whole(i)
	}
	header, err := p.window.header(at.pack, at.offset)
	if err != nil {
		return err
	}
	if !header.typ.IsDelta() {
		if done, err := p.deltify(i, header); done || err != nil {
			return err
		}
		at.sent = p.n
		if err := p.header(header.typ, header.size, nil); err != nil {
			return err
		}
		return p.copy(at, header.length)
	}
	base, sendable, err := p.base(at, header)
	if err != nil {
		return err
	}
	if !sendable {
		return p.whole(i)
	}
	at.sent = p.n
	if err := p.header(plumbing.REFDeltaObject, header.size, base); err != nil {
		return err
	}
	return p.copy(at, header.length)
}

// base makes sure that the reader has what a stored delta is made on, and
// returns its name.
func (p *packWriter) base(at *location, header entryHeader) (base *plumbing.Hash, ok bool, err error) {
	h := header.baseHash
	if header.typ == plumbing.OFSDeltaObject {
		if h, err = at.pack.hashAt(header.baseOffset); err != nil {
			return nil, false, err
		}
	}
	b, sent := p.names.Find(h)
	if !sent {
		return &h, p.Has != nil && p.Has(h), nil
	}
	if p.locations[b].sent == unsent {
		at.sent = underWay
		err = p.object(int32(b)) //nolint:gosec // it was one
		at.sent = unsent
	}
	// The base may be stored elsewhere as a delta of this very object.
	return &h, p.locations[b].sent > 0, err
}

// header writes what stands before an object, with the base of a delta.
func (p *packWriter) header(typ plumbing.ObjectType, size int64, base *plumbing.Hash) error {
	start := p.n
	if base == nil {
		_, err := p.Write(entryHead(typ, size))
		return err
	}
	if b, sent := p.names.Find(*base); sent && p.OffsetDeltas {
		_, err := p.Write(appendDistance(entryHead(plumbing.OFSDeltaObject, size), start-p.locations[b].sent))
		return err
	}
	_, err := p.Write(append(entryHead(typ, size), base[:]...))
	return err
}

// appendDistance encodes how far before a delta its base begins.
func appendDistance(b []byte, distance int64) []byte {
	var digits [10]byte
	i := len(digits) - 1
	digits[i] = byte(distance & 0x7f)
	for distance >>= 7; distance > 0; distance >>= 7 {
		distance--
		i--
		digits[i] = byte(distance&0x7f) | 0x80
	}
	return append(b, digits[i:]...)
}

// entryHead encodes what stands before an object in a pack, its base excepted.
func entryHead(typ plumbing.ObjectType, size int64) []byte {
	b := []byte{byte(typ)<<4 | byte(size&15)}
	for size >>= 4; size > 0; size >>= 7 {
		b[len(b)-1] |= 0x80
		b = append(b, byte(size&0x7f))
	}
	return b
}

func (p *packWriter) copy(at *location, header int64) error {
	end, err := at.pack.entryEnd(at.offset)
	if err != nil {
		return err
	}
	for offset := at.offset + header; offset < end; {
		b, err := p.window.bytes(at.pack, offset, end-offset)
		if err != nil {
			return err
		}
		if _, err := p.Write(b); err != nil {
			return err
		}
		offset += int64(len(b))
	}
	return nil
}

// whole writes an object as no delta, or as one that is made here.
func (p *packWriter) whole(i int32) error {
	h := p.names.All()[i]
	typ, data, err := p.store.Get(h)
	if err != nil {
		return fmt.Errorf("%s: %w", h, err)
	}
	if done, err := p.deltaOf(i, typ, data); done || err != nil {
		return err
	}
	p.locations[i].sent = p.n
	return p.deflated(typ, data, nil)
}

func (p *packWriter) deflated(typ plumbing.ObjectType, data []byte, base *plumbing.Hash) error {
	if err := p.header(typ, int64(len(data)), base); err != nil {
		return err
	}
	if p.z == nil {
		p.z = zlib.NewWriter(p)
	} else {
		p.z.Reset(p)
	}
	if _, err := io.Copy(p.z, bytes.NewReader(data)); err != nil {
		return err
	}
	return p.z.Close()
}

const (
	// minDeltified and maxDeltified are the sizes of objects, in bytes, of which
	// deltas are made: less gains nothing, more takes too much memory.
	minDeltified = 200
	maxDeltified = 64 << 20
)

// deltify writes an object that is stored whole as a delta of one that is near.
func (p *packWriter) deltify(i int32, header entryHeader) (done bool, err error) {
	h := p.names.All()[i]
	if _, ok := p.Near[h]; !ok || p.Has == nil || header.size < minDeltified || header.size > maxDeltified {
		return false, nil
	}
	typ, data, err := p.store.Get(h)
	if err != nil {
		return false, err
	}
	return p.deltaOf(i, typ, data)
}

func (p *packWriter) deltaOf(i int32, typ plumbing.ObjectType, data []byte) (done bool, err error) {
	near, ok := p.Near[p.names.All()[i]]
	if !ok || p.Has == nil || !p.Has(near) || len(data) < minDeltified || len(data) > maxDeltified {
		return false, nil
	}
	baseType, size, err := p.store.Header(near)
	// Half of the size is what git asks of a delta.
	if err != nil || baseType != typ || size > maxDeltified || size < int64(len(data))/32 {
		return false, err
	}
	defer p.store.shared.budget.awaitDelta()()
	_, base, err := p.store.Get(near)
	if err != nil {
		return false, err
	}
	delta := packfile.DiffDelta(base, data)
	if len(delta) > len(data)/2 {
		return false, nil
	}
	p.locations[i].sent = p.n
	return true, p.deflated(plumbing.REFDeltaObject, delta, &near)
}
