package objects

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/klauspost/compress/zlib"
)

// WritePack sends objects as one pack. Compressed bytes and deltas are copied
// as they are stored; memory does not grow with the objects' sizes but for
// those whose delta base is not sent.
func (s *Store) WritePack(w io.Writer, hashes []plumbing.Hash) error {
	buf := bufio.NewWriterSize(w, 60<<10)
	p := &packWriter{store: s, w: buf, sum: sha1.New(), sent: make(map[plumbing.Hash]int64, len(hashes))}
	for _, h := range hashes {
		p.sent[h] = 0
	}
	if int64(len(hashes)) > 1<<32-1 {
		return fmt.Errorf("%d objects don't fit in a pack", len(hashes))
	}
	header := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(len(hashes)))
	if _, err := p.Write(header); err != nil {
		return err
	}
	for _, h := range hashes {
		p.sent[h] = p.n
		if err := p.object(h); err != nil {
			return err
		}
	}
	if _, err := buf.Write(p.sum.Sum(nil)); err != nil {
		return err
	}
	return buf.Flush()
}

type packWriter struct {
	store *Store
	w     io.Writer
	sum   hash.Hash
	n     int64                   // written so far
	sent  map[plumbing.Hash]int64 // what is sent, with its offset, zero before it is written
	z     *zlib.Writer
}

func (p *packWriter) Write(b []byte) (int, error) {
	p.sum.Write(b)
	n, err := p.w.Write(b)
	p.n += int64(n)
	return n, err
}

func (p *packWriter) object(h plumbing.Hash) error {
	pack, offset := p.store.locate(h)
	if pack == nil {
		return p.whole(h)
	}
	header, err := readEntryHeader(pack.f, offset)
	if err != nil {
		return err
	}
	if !header.typ.IsDelta() {
		if err := p.header(header.typ, header.size, nil); err != nil {
			return err
		}
		return p.copy(pack, offset, header.length)
	}
	base := header.baseHash
	if header.typ == plumbing.OFSDeltaObject {
		if base, err = pack.hashAt(header.baseOffset); err != nil {
			return err
		}
	}
	// A base from another pack could be a delta of this object there.
	basePack, baseOffset := p.store.locate(base)
	_, sent := p.sent[base]
	samePlace := basePack == pack && (header.typ == plumbing.REFDeltaObject || baseOffset == header.baseOffset)
	if !sent || !samePlace {
		return p.whole(h)
	}
	if err := p.header(plumbing.REFDeltaObject, header.size, base[:]); err != nil {
		return err
	}
	return p.copy(pack, offset, header.length)
}

func (p *packWriter) header(typ plumbing.ObjectType, size int64, base []byte) error {
	_, err := p.Write(append(entryHead(typ, size), base...))
	return err
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

func (p *packWriter) copy(pack *packFile, offset, header int64) error {
	end, err := pack.entryEnd(offset)
	if err != nil {
		return err
	}
	_, err = io.Copy(p, io.NewSectionReader(pack.f, offset+header, end-offset-header))
	return err
}

func (p *packWriter) whole(h plumbing.Hash) error {
	typ, data, err := p.store.Get(h)
	if err != nil {
		return fmt.Errorf("%s: %w", h, err)
	}
	if err := p.header(typ, int64(len(data)), nil); err != nil {
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

// position is one object of a pack: where it begins and which name it has.
type position struct {
	offset int64
	name   int32 // index into the pack index's names
}

// order returns a pack's objects by offset; it is made when first asked for.
func (p *packFile) order() []position {
	p.orderOnce.Do(func() {
		p.positions = make([]position, 0, p.index.n)
		for i := range p.index.n {
			if offset, ok := p.index.offset(i); ok {
				p.positions = append(p.positions, position{offset, int32(i)})
			}
		}
		slices.SortFunc(p.positions, func(a, b position) int { return cmp.Compare(a.offset, b.offset) })
	})
	return p.positions
}

func (p *packFile) at(offset int64) (int, error) {
	i, ok := slices.BinarySearchFunc(p.order(), offset, func(a position, offset int64) int { return cmp.Compare(a.offset, offset) })
	if !ok {
		return 0, corrupt("%s has no object at %d", p.name, offset)
	}
	return i, nil
}

func (p *packFile) hashAt(offset int64) (h plumbing.Hash, err error) {
	i, err := p.at(offset)
	if err == nil {
		copy(h[:], p.index.names[int(p.positions[i].name)*20:])
	}
	return h, err
}

// entryEnd returns where the object that begins at offset ends.
func (p *packFile) entryEnd(offset int64) (int64, error) {
	i, err := p.at(offset)
	if err != nil {
		return 0, err
	}
	if i+1 < len(p.positions) {
		return p.positions[i+1].offset, nil
	}
	return p.size - sha1.Size, nil
}
