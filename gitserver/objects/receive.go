package objects

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/klauspost/compress/zlib"
)

// Limits bound what one pack may bring. Zero: no limit.
type Limits struct {
	// PackBytes bounds the pack as it is sent. With it, all objects together may inflate
	// to maxInflation times what was sent, or to alwaysInflated.
	PackBytes   int64
	ObjectBytes int64 // of one object, inflated
	Objects     int64
}

// maxInflation bounds the work that a small pack can ask for. Long histories of
// large files that change little come to about 100.
const (
	maxInflation   = 200
	alwaysInflated = 1 << 30
)

// maxStructured bounds one tree, commit or tag in bytes, as these are held in
// memory while they are checked. A tree of a million files stays below.
const maxStructured = 64 << 20

// maxTagTexts bounds the tags of one pack that are kept in memory until it is part of a repository, in bytes. It is enough for
// 50,000 signed ones.
const maxTagTexts = 64 << 20

// LimitError reports that a pack is over one of its limits.
type LimitError struct {
	What  string // "pack", "object", "objects", "structured", "tag" or "inflated"
	Limit int64
}

// Error returns the limit in words.
func (e *LimitError) Error() string {
	switch e.What {
	case "objects":
		return fmt.Sprintf("the push has more than %d objects, which is the limit", e.Limit)
	case "object":
		return fmt.Sprintf("the push has a file larger than the limit of %s", byteSize(e.Limit))
	case "tag":
		return fmt.Sprintf("the tag, or all that came with it, is larger than the limit of %s", byteSize(e.Limit))
	case "structured":
		return fmt.Sprintf("the push has a directory, commit or tag object larger than the limit of %s", byteSize(e.Limit))
	case "inflated":
		return fmt.Sprintf("the push unpacks to more than %s, which is the limit", byteSize(e.Limit))
	}
	return fmt.Sprintf("the push is larger than the limit of %s", byteSize(e.Limit))
}

func byteSize(n int64) string {
	for _, unit := range []struct {
		size int64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= unit.size {
			return fmt.Sprintf("%.4g %s", float64(n)/float64(unit.size), unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// Incoming is a received pack in its quarantine directory. It becomes part of
// a repository by Install and is no file of it before.
type Incoming struct {
	dir      string
	limits   Limits
	file     *os.File
	end      int64 // of the last object
	checksum plumbing.Hash
	entries  entryList
	deltas   int                     // how many entries are
	refKids  map[plumbing.Hash]int32 // first delta of each base that is named by its hash
	table    *entryTable             // entries by hash, once Resolve begins
	inflated atomic.Int64
	got      int64 // bytes of the pack so far

	mu      sync.Mutex
	pending map[plumbing.Hash]plumbing.ObjectType // named and not in table when they were
	purgeAt int                                   // how many of them are too many
	tags    map[plumbing.Hash]Link
	texts   map[plumbing.Hash][]byte          // of tags, as long as they are few bytes
	kept    int                               // bytes of texts
	shallow map[plumbing.Hash]bool            // commits the sender has no parents of
	cut     map[plumbing.Hash][]plumbing.Hash // those of them in the pack, with parents
}

// Bytes returns how long the pack is.
func (in *Incoming) Bytes() int64 { return in.end + sha1.Size }

// Receive reads one pack from r into dir, which exists and is the caller's to
// remove. It stops at the first byte over a limit. Bytes after the pack may be
// read too. Errors: *LimitError, ErrCorrupt, and those of r.
func Receive(r io.Reader, dir string, limits Limits, shallow []plumbing.Hash) (*Incoming, error) {
	file, err := os.Create(filepath.Join(dir, "incoming.pack"))
	if err != nil {
		return nil, err
	}
	in := &Incoming{
		dir: dir, limits: limits, file: file, purgeAt: minPurge,
		refKids: map[plumbing.Hash]int32{},
		pending: map[plumbing.Hash]plumbing.ObjectType{},
		tags:    map[plumbing.Hash]Link{},
		texts:   map[plumbing.Hash][]byte{},
		shallow: map[plumbing.Hash]bool{},
		cut:     map[plumbing.Hash][]plumbing.Hash{},
	}
	for _, h := range shallow {
		in.shallow[h] = true
	}
	if err := in.read(r); err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return in, nil
}

// Count returns the number of objects in the pack.
func (in *Incoming) Count() int { return in.entries.n }

// Close closes the pack's file.
func (in *Incoming) Close() error { return in.file.Close() }

// source feeds a buffered reader and keeps what that holds, so that the bytes
// really consumed can be summed: the buffer asks again only when it is empty.
type source struct {
	r     io.Reader
	file  io.Writer
	limit int64

	n      int64  // bytes read so far
	window []byte // the buffer's content
	at     int    // of window, already summed
	sum    hash.Hash
	crc    uint32
}

func (s *source) Read(p []byte) (int, error) {
	s.consume(len(s.window))
	n, err := s.r.Read(p)
	s.window, s.at = p[:n], 0
	if s.n += int64(n); s.limit > 0 && s.n > s.limit {
		return 0, &LimitError{"pack", s.limit}
	}
	if _, werr := s.file.Write(p[:n]); werr != nil {
		return 0, werr
	}
	return n, err
}

func (s *source) consume(upTo int) {
	b := s.window[s.at:upTo]
	s.sum.Write(b)
	s.crc = crc32.Update(s.crc, crc32.IEEETable, b)
	s.at = upTo
}

// packReader reads a pack object by object.
type packReader struct {
	source  source
	buf     *bufio.Reader
	z       io.ReadCloser
	left    io.LimitedReader // of z, for the object that is being read
	hasher  objectHasher
	head    [maxEntryHeader]byte
	copyBuf []byte
}

// offset is how far the pack was consumed.
func (p *packReader) offset() int64 { return p.source.n - int64(p.buf.Buffered()) }

// mark sums what was consumed.
func (p *packReader) mark() { p.source.consume(len(p.source.window) - p.buf.Buffered()) }

func (in *Incoming) read(r io.Reader) error {
	p := &packReader{copyBuf: make([]byte, 32<<10), hasher: newHasher()}
	p.source = source{r: r, file: in.file, limit: in.limits.PackBytes, sum: sha1.New()}
	p.buf = bufio.NewReaderSize(&p.source, 64<<10)

	var header [12]byte
	if _, err := io.ReadFull(p.buf, header[:]); err != nil {
		return badPack(err)
	}
	if string(header[:4]) != "PACK" || binary.BigEndian.Uint32(header[4:]) != 2 {
		return corrupt("this is not a version 2 pack")
	}
	count := int64(binary.BigEndian.Uint32(header[8:]))
	if in.limits.Objects > 0 && count > in.limits.Objects {
		return &LimitError{"objects", in.limits.Objects}
	}
	for range count {
		if err := in.readObject(p); err != nil {
			return badPack(err)
		}
	}
	p.mark()
	in.end = p.offset()
	sum := p.source.sum.Sum(nil) // before the source sums what it reads next
	if _, err := io.ReadFull(p.buf, in.checksum[:]); err != nil {
		return badPack(err)
	}
	if !bytes.Equal(sum, in.checksum[:]) {
		return corrupt("the pack's checksum does not match; it was damaged in transit")
	}
	return in.file.Truncate(in.end + sha1.Size)
}

// readObject takes one object in. Whole objects are hashed now, deltas wait for
// Resolve.
func (in *Incoming) readObject(p *packReader) error {
	p.mark()
	p.source.crc = 0
	offset := p.offset()
	header, err := p.header(offset)
	if err != nil {
		return err
	}
	in.got = offset
	if offset >= maxOffset {
		return corrupt("the pack is too long")
	}
	if in.limits.ObjectBytes > 0 && header.size > in.limits.ObjectBytes {
		return &LimitError{"object", in.limits.ObjectBytes}
	}
	e := entry{kid: noEntry, next: noEntry, typ: header.typ, delta: header.typ.IsDelta()}
	e.setOffset(offset)
	if err := in.countInflated(header.size, !e.delta && e.typ != plumbing.BlobObject); err != nil {
		return err
	}
	w := io.Discard
	if !e.delta {
		p.hasher.begin(e.typ, header.size)
		w = &p.hasher
	}
	if err := p.inflate(w, header.size); err != nil {
		return err
	}
	if e.delta {
		err = in.addKid(&e, header)
	} else {
		e.hash = p.hasher.name()
	}
	p.mark()
	e.crc = p.source.crc
	in.entries.add(e)
	return err
}

// addKid puts a delta that is about to be added in front of its base's others.
func (in *Incoming) addKid(e *entry, header entryHeader) error {
	in.deltas++
	self := int32(in.entries.n)
	if header.typ == plumbing.REFDeltaObject {
		if first, ok := in.refKids[header.baseHash]; ok {
			e.next = first
		}
		in.refKids[header.baseHash] = self
		return nil
	}
	i, ok := in.entries.startingAt(header.baseOffset)
	if !ok {
		return corrupt("the delta at %d has no base", e.offset())
	}
	base := in.entries.at(i)
	e.next, base.kid = base.kid, self
	return nil
}

// countInflated refuses an object that is too much, before it is made.
func (in *Incoming) countInflated(size int64, structured bool) error {
	if structured && size > maxStructured {
		return &LimitError{"structured", maxStructured}
	}
	// By what was sent, and not by what may be sent: who asks for much work pays for it.
	limit := maxInflation * max(in.got, min(in.limits.PackBytes, alwaysInflated/maxInflation))
	if in.inflated.Add(size) > limit && in.limits.PackBytes > 0 {
		return &LimitError{"inflated", limit}
	}
	return nil
}

// header reads byte by byte: looking ahead would refill a buffer that is not
// empty, which source does not allow.
func (p *packReader) header(offset int64) (entryHeader, error) {
	b := p.head[:0]
	number := func() error { // bytes up to one without the high bit
		for {
			c, err := p.buf.ReadByte()
			if err != nil {
				return err
			}
			if b = append(b, c); c&0x80 == 0 || len(b) >= maxEntryHeader {
				return nil
			}
		}
	}
	if err := number(); err != nil {
		return entryHeader{}, err
	}
	switch plumbing.ObjectType(b[0] >> 4 & 7) {
	case plumbing.OFSDeltaObject:
		if err := number(); err != nil {
			return entryHeader{}, err
		}
	case plumbing.REFDeltaObject:
		n := len(b)
		b = append(b, plumbing.ZeroHash[:]...)
		if _, err := io.ReadFull(p.buf, b[n:]); err != nil {
			return entryHeader{}, err
		}
	}
	return parseEntryHeader(b, offset)
}

func (p *packReader) inflate(w io.Writer, size int64) error {
	if p.z == nil {
		z, err := zlib.NewReader(p.buf)
		if err != nil {
			return err
		}
		p.z = z
	} else if err := p.z.(zlib.Resetter).Reset(p.buf, nil); err != nil {
		return err
	}
	p.left = io.LimitedReader{R: p.z, N: size + 1}
	n, err := io.CopyBuffer(w, &p.left, p.copyBuf)
	if err != nil {
		return err
	}
	if n != size {
		return corrupt("an object's size does not match its declared size")
	}
	return nil
}

func badPack(err error) error {
	var limit *LimitError
	switch {
	case errors.As(err, &limit):
		return limit
	case errors.Is(err, zlib.ErrChecksum), errors.Is(err, zlib.ErrHeader):
		return corrupt("%v", err)
	}
	return err
}
