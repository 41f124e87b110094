package gitserver

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

const (
	// packedHeader says that the refs are sorted by name, and that below each
	// annotated tag, and no other ref, stands what it means.
	packedHeader = "# pack-refs with: peeled fully-peeled sorted \n"
	// packedLockWait is how long another program may hold the file, as git has it.
	packedLockWait = time.Second
	maxPackedLine  = 8 << 10
)

// packedRefs is git's packed-refs file, open. The file is replaced and never
// changed, so what is open stays as it is.
type packedRefs struct {
	content io.ReaderAt
	file    io.Closer // nil: content is in memory
	size    int64
	start   int64 // of the first ref
	peeled  bool  // what has no peeled line is no annotated tag
}

// openPackedRefs opens the file in a repository; no file holds no refs.
func openPackedRefs(dir string) (*packedRefs, error) {
	f, err := os.Open(filepath.Join(dir, "packed-refs"))
	if errors.Is(err, fs.ErrNotExist) {
		return &packedRefs{content: strings.NewReader(""), peeled: true}, nil
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	p := &packedRefs{content: f, file: f, size: info.Size()}
	header, err := bufio.NewReader(io.NewSectionReader(f, 0, maxPackedLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, f.Close())
	}
	traits, hasHeader := strings.CutPrefix(header, "# pack-refs with:")
	if hasHeader {
		p.start = int64(len(header))
	}
	p.peeled = slices.Contains(strings.Fields(traits), "fully-peeled")
	if slices.Contains(strings.Fields(traits), "sorted") {
		return p, nil
	}
	sorted, err := p.sort()
	return sorted, errors.Join(err, f.Close())
}

// Close closes the file.
func (p *packedRefs) Close() error {
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}

// sort reads a file whose writer did not sort it.
func (p *packedRefs) sort() (*packedRefs, error) {
	var refs []gitRef
	for scan := p.scan(p.start); ; {
		f, ok, err := scan.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		refs = append(refs, f)
	}
	sortRefs(refs)
	var text bytes.Buffer
	text.WriteByte('\n') // the first ref follows on a line, as in a file
	for _, f := range refs {
		text.Write(packedLines(f))
	}
	return &packedRefs{content: bytes.NewReader(text.Bytes()), size: int64(text.Len()), start: 1, peeled: p.peeled}, nil
}

// packedLines is a ref as it stands in the file.
func packedLines(f gitRef) []byte {
	line := fmt.Appendf(nil, "%s %s\n", f.Hash, f.Name)
	if !f.Peeled.IsZero() && f.Peeled != f.Hash {
		line = fmt.Appendf(line, "^%s\n", f.Peeled)
	}
	return line
}

// from returns the refs from a name on.
func (p *packedRefs) from(name string) (*packedScanner, error) {
	// Refs that begin before low have smaller names, those from high on have not.
	low, high := p.start, p.size
	for low < high {
		mid := low + (high-low)/2
		scan := p.scan(mid)
		f, ok, err := scan.next()
		if err != nil {
			return nil, err
		}
		if at := scan.began; ok && at < high && f.Name < name {
			low = at + 1
		} else {
			high = mid
		}
	}
	return p.scan(low), nil
}

// find returns one ref.
func (p *packedRefs) find(name string) (gitRef, bool, error) {
	scan, err := p.from(name)
	if err != nil {
		return gitRef{}, false, err
	}
	f, ok, err := scan.next()
	if err != nil || !ok || f.Name != name {
		return gitRef{}, false, err
	}
	return f, true, nil
}

// scan returns the refs that begin at offset or later.
func (p *packedRefs) scan(offset int64) *packedScanner {
	s := &packedScanner{packed: p, at: offset}
	if offset > p.start {
		s.at, s.midLine = offset-1, true
	}
	s.lines = bufio.NewReaderSize(io.NewSectionReader(p.content, s.at, p.size-s.at), maxPackedLine)
	return s
}

// packedScanner reads refs one by one.
type packedScanner struct {
	packed  *packedRefs
	lines   *bufio.Reader
	at      int64 // of lines
	began   int64 // where the last ref begins
	midLine bool  // what comes first is the end of a line
}

// next returns the next ref; ok is false at the end.
func (s *packedScanner) next() (f gitRef, ok bool, err error) {
	for {
		line, err := s.line()
		if err != nil || line == nil {
			return gitRef{}, false, err
		}
		if s.midLine || line[0] == '^' {
			s.midLine = false
			continue
		}
		s.began = s.at - int64(len(line))
		if f, err = parsePackedRef(line); err != nil {
			return gitRef{}, false, err
		}
		break
	}
	if s.packed.peeled {
		f.Peeled = f.Hash
	}
	if c, err := s.lines.Peek(1); err == nil && c[0] == '^' {
		line, err := s.line()
		if err != nil {
			return gitRef{}, false, err
		}
		if f.Peeled, ok = objects.ParseHash(bytes.TrimSpace(line[1:])); !ok {
			return gitRef{}, false, fmt.Errorf("packed-refs has a bad line %q", line)
		}
	}
	return f, true, nil
}

// line returns the next line with its end, nil after the last one.
func (s *packedScanner) line() ([]byte, error) {
	line, err := s.lines.ReadSlice('\n')
	s.at += int64(len(line))
	if errors.Is(err, io.EOF) && len(line) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("packed-refs, line %q: %w", line, err)
	}
	return line, nil
}

func parsePackedRef(line []byte) (f gitRef, err error) {
	hash, name, _ := bytes.Cut(line[:len(line)-1], []byte{' '})
	var ok bool
	if f.Hash, ok = objects.ParseHash(hash); !ok || len(name) == 0 {
		return f, fmt.Errorf("packed-refs has a bad line %q", line)
	}
	f.Name = string(name)
	return f, nil
}

// lockPackedRefs keeps other programs from writing packed-refs; ours are kept
// out by the repository's lock. Errors: Conflict.
func (r *repository) lockPackedRefs() (unlock func(), err error) {
	lock := filepath.Join(r.dir, "packed-refs.lock")
	deadline := time.Now().Add(packedLockWait)
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		f, err := os.OpenFile(lock, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err == nil {
			return func() { _ = os.Remove(lock) }, f.Close()
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if time.Now().After(deadline) {
			return nil, catalog.Wrap(catalog.Conflict, err, "the repository's refs are being packed by somebody else; try again")
		}
		<-poll.C
	}
}

// writePackedRefs replaces packed-refs by what refs yields in order. The caller
// holds the file's lock.
func (r *repository) writePackedRefs(refs func(yield func(gitRef) error) error) error {
	path := filepath.Join(r.dir, "packed-refs")
	f, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	_, err = w.WriteString(packedHeader)
	if err == nil {
		err = refs(func(ref gitRef) error {
			_, err := w.Write(packedLines(ref))
			return err
		})
	}
	if err == nil {
		err = errors.Join(w.Flush(), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return objects.SyncDir(r.dir)
}

// unpackRefs takes refs out of packed-refs. The caller holds the file's lock
// until their own files are gone, too: else another program could pack them again.
func (r *repository) unpackRefs(names map[string]bool) error {
	packed, err := openPackedRefs(r.dir)
	if err != nil {
		return err
	}
	defer discard(packed)
	there := false
	for name := range names {
		_, ok, err := packed.find(name)
		if err != nil {
			return err
		}
		there = there || ok
	}
	if !there {
		return nil
	}
	return r.writePackedRefs(func(yield func(gitRef) error) error {
		scan := packed.scan(packed.start)
		for {
			f, ok, err := scan.next()
			if err != nil || !ok {
				return err
			}
			if names[f.Name] {
				continue
			}
			if err := errors.Join(r.peel(&f), yield(f)); err != nil {
				return err
			}
		}
	})
}

// peel finds out what an annotated tag means, if that is not known. A ref to an
// object that is missing, as another program may leave one, means itself.
func (r *repository) peel(f *gitRef) error {
	if !f.Peeled.IsZero() {
		return nil
	}
	target, err := r.Peel(f.Hash)
	if errors.Is(err, objects.ErrNotFound) {
		target.Hash, err = f.Hash, nil
	}
	f.Peeled = target.Hash
	return err
}

// maxLooseRefs is how many refs may have files of their own: whoever lists the
// refs opens each of them.
const maxLooseRefs = 200

func (r *repository) hasManyLoose() (bool, error) {
	n := 0
	err := r.walkLoose("refs/", func(string) error {
		if n++; n > maxLooseRefs {
			return fs.SkipAll
		}
		return nil
	})
	return n > maxLooseRefs, err
}

// packRefs puts all refs into packed-refs and returns those that still have files
// of their own, which are no longer needed. The caller holds the repository's lock.
func (r *repository) packRefs() ([]gitRef, error) {
	unlock, err := r.lockPackedRefs()
	if err != nil {
		return nil, err
	}
	defer unlock()
	refs, err := r.openRefs("refs/")
	if err != nil {
		return nil, err
	}
	defer discard(refs)
	err = r.writePackedRefs(func(yield func(gitRef) error) error {
		return refs.each(func(f gitRef) error { return errors.Join(r.peel(&f), yield(f)) })
	})
	return refs.loose, err
}

// dropLoose removes refs' own files that say what packed-refs says. The caller
// holds the repository's lock. A ref may have been deleted and made again, as it was,
// since it was packed: what packed-refs has now is what counts.
func (r *repository) dropLoose(refs []gitRef) error {
	unlock, err := r.lockPackedRefs()
	if err != nil {
		return err
	}
	defer unlock()
	packed, err := openPackedRefs(r.dir)
	if err != nil {
		return err
	}
	defer discard(packed)
	for _, f := range refs {
		there, ok, err := packed.find(f.Name)
		if err == nil && ok {
			err = r.dropLooseRef(there)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dropLooseRef removes a ref's own file, if it says what is packed. Who holds the
// ref's lock changes it, so the file stays.
func (r *repository) dropLooseRef(packed gitRef) error {
	path := filepath.Join(r.dir, filepath.FromSlash(packed.Name))
	lock, err := os.OpenFile(path+".lock", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	now, ok, err := r.readLoose(packed.Name)
	if ok && now == packed.Hash {
		err = os.Remove(path)
	}
	err = errors.Join(err, lock.Close(), os.Remove(lock.Name()))
	r.dropEmptyDirs(filepath.Dir(path))
	return err
}
