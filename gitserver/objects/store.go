package objects

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/objfile"
)

// ErrNotFound reports that a store has no such object. It is go-git's own error.
var ErrNotFound = plumbing.ErrObjectNotFound

// maxDeltaChain is git's own ceiling.
const maxDeltaChain = 4095

// Store reads the objects of one repository. It is safe for concurrent use and
// sees packs that arrive after it was opened.
type Store struct {
	storage Storage
	shared  *Packs

	mu    sync.RWMutex
	packs []*packFile
	known map[string]bool
	bases baseCache
}

// OpenStore opens what a repository's storage keeps.
func (p *Packs) OpenStore(storage Storage) (*Store, error) {
	s := &Store{storage: storage, shared: p, known: map[string]bool{}}
	if err := s.rescan(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Storage is where the store's objects are.
func (s *Store) Storage() Storage { return s.storage }

// Close gives back the store's files.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := make([]error, 0, len(s.packs))
	for _, p := range s.packs {
		errs = append(errs, s.shared.give(p.openPack))
	}
	s.packs = nil
	return errors.Join(errs...)
}

// arrived looks for packs that are new in its storage and reports by its error whether an
// object is in one of them. Errors: ErrNotFound.
func (s *Store) arrived(h plumbing.Hash) error {
	if err := s.rescan(); err != nil {
		return errors.Join(err, ErrNotFound)
	}
	if p, _ := s.locate(h); p == nil {
		return ErrNotFound
	}
	return nil
}

// rescan opens packs that are new in its storage.
func (s *Store) rescan() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	names, err := s.storage.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if s.known[name] {
			continue
		}
		p, err := s.shared.take(s.storage, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // merged into another meanwhile
		}
		if err != nil {
			return err
		}
		s.known[name] = true
		s.packs = append(s.packs, &packFile{p, &s.bases})
	}
	return nil
}

// locate finds an object in a pack; a nil pack means there is none.
func (s *Store) locate(h plumbing.Hash) (*packFile, int64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	// Packs that arrived after the store was opened stand last and are asked for most.
	for i := len(s.packs) - 1; i >= 0; i-- {
		if offset, ok := s.packs[i].index.find(h); ok {
			return s.packs[i], offset
		}
	}
	return nil, 0
}

// Has reports whether the store has an object.
func (s *Store) Has(h plumbing.Hash) (bool, error) {
	_, _, err := s.Header(h)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Header returns an object's type and size in bytes. Errors: ErrNotFound.
func (s *Store) Header(h plumbing.Hash) (plumbing.ObjectType, int64, error) {
	if p, offset := s.locate(h); p != nil {
		return s.packHeader(p, offset)
	}
	r, err := s.openLoose(h)
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.arrived(h); err != nil {
			return 0, 0, err
		}
		return s.Header(h)
	}
	if err != nil {
		return 0, 0, err
	}
	return r.typ, r.size, r.Close()
}

func (s *Store) packHeader(p *packFile, offset int64) (plumbing.ObjectType, int64, error) {
	size := int64(-1)
	for range maxDeltaChain {
		h, err := readEntryHeader(p.f, offset)
		if err != nil {
			return 0, 0, err
		}
		if size < 0 {
			if size = h.size; h.typ.IsDelta() {
				if size, err = deltaResultSize(p.f, offset+h.length); err != nil {
					return 0, 0, err
				}
			}
		}
		switch h.typ {
		case plumbing.OFSDeltaObject:
			offset = h.baseOffset
		case plumbing.REFDeltaObject:
			base, ok := p.index.find(h.baseHash)
			if !ok {
				return 0, 0, corrupt("%s has a delta without base", p.name)
			}
			offset = base
		default:
			return h.typ, size, nil
		}
	}
	return 0, 0, corrupt("%s has an endless delta chain", p.name)
}

func deltaResultSize(r io.ReaderAt, offset int64) (int64, error) {
	in, err := openInflater(r, offset)
	if err != nil {
		return 0, err
	}
	defer in.close()
	var head [20]byte
	n, err := io.ReadFull(in.z, head[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, corrupt("delta at %d: %v", offset, err)
	}
	_, size, _, err := deltaSizes(head[:n])
	return size, err
}

// Get returns an object's type and content, which the caller must not change.
// Errors: ErrNotFound.
func (s *Store) Get(h plumbing.Hash) (plumbing.ObjectType, []byte, error) {
	if p, offset := s.locate(h); p != nil {
		return p.read(offset)
	}
	r, err := s.openLoose(h)
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.arrived(h); err != nil {
			return 0, nil, err
		}
		return s.Get(h)
	}
	if err != nil {
		return 0, nil, err
	}
	data := make([]byte, r.size)
	_, err = io.ReadFull(r, data)
	return r.typ, data, errors.Join(err, r.Close())
}

// GetTyped is Get for an object that must be of one type.
func (s *Store) GetTyped(h plumbing.Hash, want plumbing.ObjectType) ([]byte, error) {
	typ, data, err := s.Get(h)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", want, h, err)
	}
	if typ != want {
		return nil, corrupt("%s is a %s, not a %s", h, typ, want)
	}
	return data, nil
}

// Open returns an object's content as a stream. An object that is stored as a
// delta is made in memory, any other is inflated while it is read.
// Errors: ErrNotFound.
func (s *Store) Open(h plumbing.Hash) (io.ReadCloser, error) {
	p, offset := s.locate(h)
	if p == nil {
		r, err := s.openLoose(h)
		if !errors.Is(err, fs.ErrNotExist) {
			return r, err
		}
		if err := s.arrived(h); err != nil {
			return nil, err
		}
		return s.Open(h)
	}
	in, header, err := openEntry(p.f, offset)
	if err != nil {
		return nil, err
	}
	if header.typ.IsDelta() {
		in.close()
		_, data, err := p.read(offset)
		return io.NopCloser(bytes.NewReader(data)), err
	}
	return &objectStream{in: in, left: header.size}, nil
}

// objectStream fails, instead of ending early, when bytes are missing.
type objectStream struct {
	in   *inflater
	left int64
}

func (o *objectStream) Read(b []byte) (int, error) {
	if o.in == nil {
		return 0, fs.ErrClosed
	}
	if o.left == 0 {
		return 0, io.EOF
	}
	if int64(len(b)) > o.left {
		b = b[:o.left]
	}
	n, err := o.in.z.Read(b)
	o.left -= int64(n)
	if errors.Is(err, io.EOF) {
		if err = nil; o.left > 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

func (o *objectStream) Close() error {
	if o.in != nil {
		o.in.close()
		o.in = nil
	}
	return nil
}

// read makes the object at offset by inflating its base and applying deltas.
func (p *packFile) read(offset int64) (plumbing.ObjectType, []byte, error) {
	type link struct {
		offset int64
		delta  []byte
	}
	var chain []link
	var base cachedBase
	for {
		if cached, ok := p.bases.get(p, offset); ok {
			base = cached
			break
		}
		in, h, err := openEntry(p.f, offset)
		if err != nil {
			return 0, nil, err
		}
		data, err := in.all(offset, h.size)
		if err != nil {
			return 0, nil, err
		}
		if !h.typ.IsDelta() {
			base = cachedBase{h.typ, data}
			if len(chain) > 0 {
				p.bases.put(p, offset, base)
			}
			break
		}
		if len(chain) >= maxDeltaChain {
			return 0, nil, corrupt("%s has an endless delta chain", p.name)
		}
		chain = append(chain, link{offset, data})
		if offset = h.baseOffset; h.typ == plumbing.REFDeltaObject {
			var ok bool
			if offset, ok = p.index.find(h.baseHash); !ok {
				return 0, nil, corrupt("%s has a delta without base", p.name)
			}
		}
	}
	for i := len(chain) - 1; i >= 0; i-- {
		_, size, _, err := deltaSizes(chain[i].delta)
		if err != nil {
			return 0, nil, err
		}
		data, err := applyDelta(make([]byte, 0, size), base.data, chain[i].delta)
		if err != nil {
			return 0, nil, err
		}
		base.data = data
		p.bases.put(p, chain[i].offset, base)
	}
	return base.typ, base.data, nil
}

// looseObject is an open file of one object.
type looseObject struct {
	*objfile.Reader
	f    io.Closer
	typ  plumbing.ObjectType
	size int64
}

func (s *Store) openLoose(h plumbing.Hash) (*looseObject, error) {
	f, err := s.storage.OpenLoose(h)
	if err != nil {
		return nil, err
	}
	r, err := objfile.NewReader(f)
	if err != nil {
		return nil, errors.Join(corrupt("loose object %s: %v", h, err), f.Close())
	}
	typ, size, err := r.Header()
	if err != nil {
		return nil, errors.Join(corrupt("loose object %s: %v", h, err), r.Close(), f.Close())
	}
	return &looseObject{Reader: r, f: f, typ: typ, size: size}, nil
}

// Close closes the reader and its file.
func (l *looseObject) Close() error { return errors.Join(l.Reader.Close(), l.f.Close()) }
