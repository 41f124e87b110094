package objects

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// mergeWriter writes the objects of several packs as one, each once: as the delta that
// one of the packs has, else as a new delta of an object with the same name in a
// tree, else whole.
type mergeWriter struct {
	out     *packWriter
	objects []mergedObject // by number
	search  deltaSearch
}

type mergedObject struct {
	deltaGroup
	size  int64
	age   int32 // of its pack: the newest is 0
	depth uint8
}

// newMergeWriter looks at all that is to be written: what is to be kept, and with nil everything.
func (s *Store) newMergeWriter(ctx context.Context, from []*packFile, keep func(plumbing.Hash) bool) (*mergeWriter, error) {
	m := &mergeWriter{out: &packWriter{PackOptions: PackOptions{OffsetDeltas: true}, store: s, sum: sha1.New()}, search: deltaSearch{budget: s.shared.budget}}
	for age, p := range newestFirst(from) {
		for i := range p.index.n {
			offset, ok := p.index.offset(i)
			if !ok {
				return nil, corrupt("the index of %s is truncated", p.name)
			}
			h := p.index.name(i)
			if keep != nil && !keep(h) {
				continue
			}
			if err := m.add(p, h, offset, age); err != nil {
				return nil, err
			}
		}
	}
	for i := range m.objects {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		o, at := &m.objects[i], m.out.locations[i]
		var err error
		if o.typ, o.size, err = s.packHeader(at.pack, at.offset); err != nil {
			return nil, err
		}
	}
	return m, m.nameObjects(ctx)
}

func newestFirst(packs []*packFile) []*packFile {
	packs = slices.Clone(packs)
	slices.SortStableFunc(packs, func(a, b *packFile) int { return b.putAt.Compare(a.putAt) })
	return packs
}

// add takes an object in; of one that came before, the copy that is a delta.
func (m *mergeWriter) add(p *packFile, h plumbing.Hash, offset int64, age int) error {
	i, added := m.out.names.Add(h)
	here := location{pack: p, offset: offset}
	if added {
		m.out.locations = append(m.out.locations, here)
		m.objects = append(m.objects, mergedObject{age: int32(age)}) //nolint:gosec // packs are fewer
		return nil
	}
	known, err := readEntryHeader(m.out.locations[i].pack.f, m.out.locations[i].offset)
	if err != nil || known.typ.IsDelta() {
		return err
	}
	header, err := readEntryHeader(p.f, offset)
	if err == nil && header.typ.IsDelta() {
		m.out.locations[i] = here
	}
	return err
}

// nameObjects finds out what trees call each object. The last part of a path does, as
// in git: files that move stay near to what they were.
func (m *mergeWriter) nameObjects(ctx context.Context) error {
	for i := range m.objects {
		if m.objects[i].typ != plumbing.TreeObject {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		_, data, err := m.out.locations[i].pack.read(m.out.locations[i].offset)
		if err != nil {
			return err
		}
		err = EachEntry(data, func(_ uint32, name []byte, h plumbing.Hash) error {
			if k, ok := m.out.names.Find(h); ok && m.objects[k].name == 0 {
				sum := fnv.New32a()
				_, _ = sum.Write(name) // it never fails
				m.objects[k].name = sum.Sum32()
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// write writes the pack.
func (m *mergeWriter) write(ctx context.Context, path string) error {
	if int64(len(m.objects)) > 1<<32-1 {
		return fmt.Errorf("%d objects don't fit in a pack", len(m.objects))
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	buf := bufio.NewWriterSize(f, 256<<10)
	m.out.w = buf
	err = m.writeAll(ctx)
	if err == nil {
		_, err = buf.Write(m.out.sum.Sum(nil))
	}
	return closeAfter(f, cmp.Or(err, buf.Flush()))
}

// closeAfter closes f and returns the first error.
func closeAfter(f io.Closer, err error) error { return cmp.Or(err, f.Close()) }

func (m *mergeWriter) writeAll(ctx context.Context) error {
	header := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(len(m.objects))) //nolint:gosec // write looked
	if _, err := m.out.Write(header); err != nil {
		return err
	}
	for _, i := range m.arrange() {
		if err := ctx.Err(); err != nil {
			return err
		}
		m.search.enter(m.objects[i].deltaGroup)
		if err := m.object(i); err != nil {
			return err
		}
	}
	return nil
}

// arrange puts commits and tags, which are read in the order of their history, as they are stored,
// and then what is likely to be alike together: the largest and newest first, as it is the best base.
func (m *mergeWriter) arrange() []int32 {
	order := make([]int32, len(m.objects))
	for i := range order {
		order[i] = int32(i) //nolint:gosec // fewer than Hashes can number
	}
	slices.SortFunc(order, func(a, b int32) int {
		x, y := &m.objects[a], &m.objects[b]
		c := cmp.Compare(rankOf(x.typ), rankOf(y.typ))
		if c == 0 && searched(x.typ) {
			c = cmp.Or(cmp.Compare(x.name, y.name), cmp.Compare(y.size, x.size))
		}
		return cmp.Or(c, cmp.Compare(x.age, y.age), cmp.Compare(m.out.locations[a].offset, m.out.locations[b].offset))
	})
	return order
}

func searched(typ plumbing.ObjectType) bool {
	return typ == plumbing.TreeObject || typ == plumbing.BlobObject
}

func rankOf(typ plumbing.ObjectType) int {
	return slices.Index([]plumbing.ObjectType{plumbing.CommitObject, plumbing.TagObject, plumbing.TreeObject, plumbing.BlobObject}, typ)
}

// object writes an object, after its base. It stands in for packWriter's.
func (m *mergeWriter) object(i int32) error {
	at := &m.out.locations[i]
	if at.sent != unsent {
		return nil
	}
	header, err := m.out.window.header(at.pack, at.offset)
	if err != nil {
		return err
	}
	if header.typ.IsDelta() {
		if done, err := m.storedDelta(i, header); done || err != nil {
			return err
		}
	}
	o := &m.objects[i]
	if !searched(o.typ) || o.size < minDeltified || o.size > maxSearched {
		return m.asIs(i, header)
	}
	_, data, err := at.pack.read(at.offset)
	if err != nil {
		return err
	}
	in := at.pack
	if header.typ.IsDelta() {
		in = nil
	}
	if delta, base := m.search.find(data, in); delta != nil {
		o.depth = base.depth + 1
		in = nil
		at.sent = m.out.n
		err = m.out.deflated(plumbing.REFDeltaObject, delta, &m.out.names.All()[base.object])
	} else {
		err = m.asIs(i, header)
	}
	m.search.keep(deltaBase{i, in, o.depth, data})
	return err
}

// storedDelta writes an object as the delta that a pack has, unless it would end too long
// a chain, or the base is itself made of this object or not to be kept.
func (m *mergeWriter) storedDelta(i int32, header entryHeader) (done bool, err error) {
	at := &m.out.locations[i]
	h := header.baseHash
	if header.typ == plumbing.OFSDeltaObject {
		if h, err = at.pack.hashAt(header.baseOffset); err != nil {
			return false, err
		}
	}
	b, ok := m.out.names.Find(h)
	if !ok {
		return false, nil
	}
	at.sent = underWay
	err = m.object(int32(b)) //nolint:gosec // it was one
	at.sent = unsent
	if err != nil || m.out.locations[b].sent == underWay || m.objects[b].depth >= maxChain {
		return false, err
	}
	at.sent = m.out.n
	m.objects[i].depth = m.objects[b].depth + 1
	if err := m.out.header(plumbing.REFDeltaObject, header.size, &h); err != nil {
		return true, err
	}
	return true, m.out.copy(at, header.length)
}

// asIs writes an object whole: by its stored bytes, if they are that.
func (m *mergeWriter) asIs(i int32, header entryHeader) error {
	at := &m.out.locations[i]
	if header.typ.IsDelta() {
		typ, data, err := at.pack.read(at.offset)
		if err != nil {
			return err
		}
		at.sent = m.out.n
		return m.out.deflated(typ, data, nil)
	}
	at.sent = m.out.n
	if err := m.out.header(header.typ, header.size, nil); err != nil {
		return err
	}
	return m.out.copy(at, header.length)
}
