package objects

import (
	"bufio"
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/klauspost/compress/zlib"
)

// smallObject is how many bytes of an object are held in memory to see whether
// it is known before anything is written.
const smallObject = 128 << 10

// PackBuilder writes new objects into a pack in a quarantine directory. What
// the store has already is not written again. Memory does not grow with the
// objects' sizes.
type PackBuilder struct {
	store   *Store
	in      *Incoming
	out     *bufio.Writer
	sum     packSum
	z       *zlib.Writer
	written map[plumbing.Hash]bool
	head    []byte // of the object being added
}

// packSum counts and sums one object's bytes on their way to the pack.
type packSum struct {
	w   io.Writer
	n   int64
	crc uint32
}

func (s *packSum) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	s.n += int64(n)
	s.crc = crc32.Update(s.crc, crc32.IEEETable, b[:n])
	return n, err
}

// NewPackBuilder begins a pack in dir, which exists and is the caller's to
// remove.
func NewPackBuilder(dir string, store *Store) (*PackBuilder, error) {
	file, err := os.Create(filepath.Join(dir, "incoming.pack"))
	if err != nil {
		return nil, err
	}
	b := &PackBuilder{
		store: store, in: &Incoming{dir: dir, file: file, pending: map[plumbing.Hash]plumbing.ObjectType{}}, out: bufio.NewWriterSize(file, 64<<10),
		written: map[plumbing.Hash]bool{}, head: make([]byte, smallObject),
	}
	b.sum.w = b.out
	b.z = zlib.NewWriter(&b.sum)
	// The number of objects is set by Finish.
	_, err = b.sum.Write([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x00"))
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return b, nil
}

// Close closes the pack's file.
func (b *PackBuilder) Close() error { return b.in.Close() }

// Bytes returns how long the pack is by now.
func (b *PackBuilder) Bytes() int64 { return b.sum.n }

// ErrSize reports that a content is not as long as was said.
var ErrSize = errors.New("content is not of the size it was said to have")

// Add takes one object of exactly size bytes in. Errors: ErrSize, those of content.
func (b *PackBuilder) Add(typ plumbing.ObjectType, size int64, content io.Reader) (plumbing.Hash, error) {
	head := b.head[:min(size, smallObject)]
	if _, err := io.ReadFull(content, head); err != nil {
		return plumbing.ZeroHash, sizeError(err)
	}
	if size < smallObject {
		if err := atEnd(content); err != nil {
			return plumbing.ZeroHash, err
		}
		if h := plumbing.ComputeHash(typ, head); b.written[h] {
			return h, nil
		} else if known, err := b.has(h); known || err != nil {
			return h, err
		}
	}
	return b.write(typ, size, io.MultiReader(bytes.NewReader(head), content))
}

// write puts an object at the pack's end and takes it off again when its hash
// turns out to be known.
func (b *PackBuilder) write(typ plumbing.ObjectType, size int64, content io.Reader) (plumbing.Hash, error) {
	begin := b.sum.n
	b.sum.crc = 0
	if _, err := b.sum.Write(entryHead(typ, size)); err != nil {
		return plumbing.ZeroHash, err
	}
	hasher := plumbing.NewHasher(typ, size)
	b.z.Reset(&b.sum)
	n, err := io.Copy(io.MultiWriter(hasher, b.z), io.LimitReader(content, size))
	if err == nil && n != size {
		err = ErrSize
	}
	if err == nil && size >= smallObject {
		err = atEnd(content)
	}
	if err = errors.Join(err, b.z.Close()); err != nil {
		return plumbing.ZeroHash, errors.Join(err, b.truncate(begin))
	}
	e := entry{hash: hasher.Sum(), crc: b.sum.crc, typ: typ}
	e.setOffset(begin)
	known := b.written[e.hash]
	if !known {
		if known, err = b.has(e.hash); err != nil {
			return plumbing.ZeroHash, err
		}
	}
	if known {
		return e.hash, b.truncate(begin)
	}
	b.written[e.hash] = true
	b.in.entries.add(e)
	return e.hash, nil
}

// has reports whether the store has an object, which is left out then: what is written relies on it.
func (b *PackBuilder) has(h plumbing.Hash) (bool, error) {
	typ, _, err := b.store.Header(h)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err == nil {
		b.in.pending[h] = typ
	}
	return err == nil, err
}

func (b *PackBuilder) truncate(offset int64) error {
	if err := b.out.Flush(); err != nil {
		return err
	}
	if err := b.in.file.Truncate(offset); err != nil {
		return err
	}
	b.sum.n = offset
	_, err := b.in.file.Seek(offset, io.SeekStart)
	return err
}

func sizeError(err error) error {
	if errors.Is(err, io.EOF) || err == io.ErrUnexpectedEOF { //nolint:errorlint // a wrapped one is content's own
		return ErrSize
	}
	return err
}

func atEnd(content io.Reader) error {
	var one [1]byte
	switch _, err := io.ReadFull(content, one[:]); err {
	case io.EOF:
		return nil
	case nil:
		return ErrSize
	default:
		return err
	}
}

// AddTree takes a tree in, its entries in git's order. Errors: ErrCorrupt for
// what git itself would not make.
func (b *PackBuilder) AddTree(data []byte) (plumbing.Hash, error) {
	if _, err := new(treeChecker).check(data); err != nil {
		return plumbing.ZeroHash, err
	}
	return b.Add(plumbing.TreeObject, int64(len(data)), bytes.NewReader(data))
}

// Finish completes the pack; Install it then.
func (b *PackBuilder) Finish() (*Incoming, error) {
	if err := b.out.Flush(); err != nil {
		return nil, err
	}
	b.in.end = b.sum.n
	return b.in, b.in.seal()
}
