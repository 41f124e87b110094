// Package objects reads and takes in git objects: packs are received, checked
// and indexed in one streaming pass and one parallel pass, and read back by
// position, so any number of goroutines may read one Store.
package objects

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/klauspost/compress/zlib"
)

// ErrCorrupt is the cause of every error about stored or received bytes that
// are no git objects.
var ErrCorrupt = errors.New("corrupt git data")

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// maxEntryHeader covers type and size (10 bytes) and a base hash or offset (20).
const maxEntryHeader = 30

// entryHeader is what stands before an object's compressed bytes in a pack.
type entryHeader struct {
	typ        plumbing.ObjectType
	size       int64 // inflated; of the delta itself for a delta
	baseOffset int64 // OFSDeltaObject
	baseHash   plumbing.Hash
	length     int64 // of the header, in bytes
}

func parseEntryHeader(b []byte, offset int64) (entryHeader, error) {
	var h entryHeader
	i := 0
	next := func() (byte, bool) {
		if i >= len(b) {
			return 0, false
		}
		i++
		return b[i-1], true
	}
	c, ok := next()
	h.typ = plumbing.ObjectType(c >> 4 & 7)
	h.size = int64(c & 15)
	for shift := 4; ok && c&0x80 != 0; shift += 7 {
		if shift > 56 {
			return h, corrupt("object size at %d overflows", offset)
		}
		c, ok = next()
		h.size |= int64(c&0x7f) << shift
	}
	switch {
	case !ok:
		return h, corrupt("object header at %d is truncated", offset)
	case h.typ == plumbing.OFSDeltaObject:
		c, ok = next()
		distance := int64(c & 0x7f)
		for ok && c&0x80 != 0 {
			if distance > 1<<54 {
				return h, corrupt("delta offset at %d overflows", offset)
			}
			c, ok = next()
			distance = (distance+1)<<7 | int64(c&0x7f)
		}
		h.baseOffset = offset - distance
		if !ok || distance <= 0 || h.baseOffset < 12 {
			return h, corrupt("delta at %d has no base", offset)
		}
	case h.typ == plumbing.REFDeltaObject:
		if i+20 > len(b) {
			return h, corrupt("delta at %d has no base", offset)
		}
		copy(h.baseHash[:], b[i:])
		i += 20
	case h.typ < plumbing.CommitObject || h.typ > plumbing.TagObject:
		return h, corrupt("object at %d has an unknown type", offset)
	}
	h.length = int64(i)
	return h, nil
}

func readEntryHeader(r io.ReaderAt, offset int64) (entryHeader, error) {
	var b [maxEntryHeader]byte
	n, err := r.ReadAt(b[:], offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return entryHeader{}, err
	}
	return parseEntryHeader(b[:n], offset)
}

// inflater pools zlib state, which is too big to make anew for every object.
type inflater struct {
	z      io.ReadCloser
	buf    *bufio.Reader // zlib is fast on this very type
	source offsetReader
}

var inflaters = sync.Pool{New: func() any { return &inflater{buf: bufio.NewReaderSize(nil, 8<<10)} }}

// openInflater starts to inflate at offset. Give it back by close.
func openInflater(r io.ReaderAt, offset int64) (*inflater, error) {
	in := newInflater(r, offset)
	return in, in.begin(offset)
}

// openEntry reads what stands before an object and starts to inflate it.
func openEntry(r io.ReaderAt, offset int64) (*inflater, entryHeader, error) {
	in := newInflater(r, offset)
	head, err := in.buf.Peek(maxEntryHeader)
	if err != nil && !errors.Is(err, io.EOF) {
		in.close()
		return nil, entryHeader{}, err
	}
	h, err := parseEntryHeader(head, offset)
	if err != nil {
		in.close()
		return nil, h, err
	}
	_, _ = in.buf.Discard(int(h.length)) // it was there
	return in, h, in.begin(offset + h.length)
}

func newInflater(r io.ReaderAt, offset int64) *inflater {
	in := inflaters.Get().(*inflater)
	in.source = offsetReader{r: r, offset: offset}
	in.buf.Reset(&in.source)
	return in
}

// begin reads the compressed bytes' head, at offset. After an error the inflater is closed.
func (in *inflater) begin(offset int64) (err error) {
	if in.z == nil {
		in.z, err = zlib.NewReader(in.buf)
	} else {
		err = in.z.(zlib.Resetter).Reset(in.buf, nil)
	}
	if err != nil {
		in.close()
		return corrupt("no zlib stream at %d: %v", offset, err)
	}
	return nil
}

func (in *inflater) close() {
	in.source = offsetReader{}
	inflaters.Put(in)
}

// all returns the size bytes that are compressed, and closes the inflater.
func (in *inflater) all(offset, size int64) ([]byte, error) {
	defer in.close()
	data := make([]byte, size)
	if _, err := io.ReadFull(in.z, data); err != nil {
		return nil, corrupt("object at %d: %v", offset, err)
	}
	var end [1]byte
	if n, err := in.z.Read(end[:]); n != 0 || !errors.Is(err, io.EOF) {
		return nil, corrupt("object at %d is longer than its declared size", offset)
	}
	return data, nil
}

// offsetReader reads on from an offset: at first little, as most objects are small.
type offsetReader struct {
	r      io.ReaderAt
	offset int64
	begun  bool
}

const firstRead = 1 << 10

func (o *offsetReader) Read(p []byte) (int, error) {
	if !o.begun {
		p = p[:min(len(p), firstRead)]
		o.begun = true
	}
	n, err := o.r.ReadAt(p, o.offset)
	o.offset += int64(n)
	if n > 0 {
		err = nil // the rest is asked for again
	}
	return n, err
}

// deltaSizes returns the sizes of base and result that a delta begins with, and
// what follows.
func deltaSizes(delta []byte) (base, result int64, rest []byte, err error) {
	for _, size := range []*int64{&base, &result} {
		for shift := 0; ; shift += 7 {
			if len(delta) == 0 || shift > 56 {
				return 0, 0, nil, corrupt("a delta has no sizes")
			}
			c := delta[0]
			delta = delta[1:]
			*size |= int64(c&0x7f) << shift
			if c&0x80 == 0 {
				break
			}
		}
	}
	return base, result, delta, nil
}

// applyDelta makes an object, of the size that deltaSizes tells, in dst.
func applyDelta(dst, base, delta []byte) ([]byte, error) {
	baseSize, size, delta, err := deltaSizes(delta)
	if err != nil {
		return nil, err
	}
	if baseSize != int64(len(base)) {
		return nil, corrupt("a delta is for a base of %d bytes, not %d", baseSize, len(base))
	}
	for len(delta) > 0 {
		op := delta[0]
		delta = delta[1:]
		var part []byte
		switch {
		case op&0x80 != 0:
			var offset, n int
			if offset, n, delta, err = copyArguments(op, delta); err != nil {
				return nil, err
			}
			if offset+n > len(base) {
				return nil, corrupt("a delta copies from beyond its base")
			}
			part = base[offset : offset+n]
		case op == 0 || int(op) > len(delta):
			return nil, corrupt("a delta has an invalid instruction")
		default:
			part, delta = delta[:op], delta[op:]
		}
		if dst = append(dst, part...); int64(len(dst)) > size {
			break
		}
	}
	if int64(len(dst)) != size {
		return nil, corrupt("a delta does not produce its declared %d bytes", size)
	}
	return dst, nil
}

// copyArguments reads where a delta copies from and how much.
func copyArguments(op byte, delta []byte) (offset, n int, rest []byte, err error) {
	for bit := range 7 {
		if op&(1<<bit) == 0 {
			continue
		}
		if len(delta) == 0 {
			return 0, 0, nil, corrupt("a delta is truncated")
		}
		if bit < 4 {
			offset |= int(delta[0]) << (8 * bit)
		} else {
			n |= int(delta[0]) << (8 * (bit - 4))
		}
		delta = delta[1:]
	}
	if n == 0 {
		n = 0x10000
	}
	return offset, n, delta, nil
}

// packFile is a pack that a store has open.
type packFile struct {
	*openPack
	bases *baseCache
}

// baseCache keeps inflated delta bases of a store; objects often share them. What
// was not asked for while half of it filled goes.
type baseCache struct {
	mu         sync.Mutex
	young, old map[baseKey]cachedBase
	held       int64 // bytes in young
}

type baseKey struct {
	pack   *packFile
	offset int64
}

type cachedBase struct {
	typ  plumbing.ObjectType
	data []byte
}

const (
	maxCachedBase  = 1 << 20
	maxCachedBases = 32 << 20
)

func (c *baseCache) get(p *packFile, offset int64) (cachedBase, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := baseKey{p, offset}
	b, ok := c.young[at]
	if !ok {
		if b, ok = c.old[at]; ok {
			c.keep(at, b)
		}
	}
	return b, ok
}

func (c *baseCache) put(p *packFile, offset int64, b cachedBase) {
	if len(b.data) > maxCachedBase {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(baseKey{p, offset}, b)
}

// keep is called with mu held.
func (c *baseCache) keep(at baseKey, b cachedBase) {
	if c.held+int64(len(b.data)) > maxCachedBases/2 || c.young == nil {
		c.old, c.young, c.held = c.young, map[baseKey]cachedBase{}, 0
	}
	c.young[at] = b
	c.held += int64(len(b.data))
}
