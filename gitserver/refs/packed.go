package refs

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

const (
	// packedHeader says that the refs are sorted by name, and that below each
	// annotated tag, and no other ref, stands what it means.
	packedHeader  = "# pack-refs with: peeled fully-peeled sorted \n"
	maxPackedLine = 8 << 10
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
	header, err := bufio.NewReader(io.NewSectionReader(f, 0, maxPackedLine)).ReadString('\n') //nolint:forbidigo // it ends with the section
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

// CheckPacked says by an error that a packed-refs file is missing, or can't be read.
func CheckPacked(file string) error {
	if _, err := os.Stat(file); err != nil {
		return err
	}
	p, err := openPackedRefs(filepath.Dir(file))
	if err != nil {
		return err
	}
	_, err = p.all()
	return errors.Join(err, p.Close())
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
	refs, err := p.all()
	if err != nil {
		return nil, err
	}
	sortRefs(refs)
	return refsInMemory(refs, p.peeled), nil
}

// all returns the refs in the order that they have.
func (p *packedRefs) all() (refs []Ref, err error) {
	for scan := p.scan(p.start); ; {
		f, ok, err := scan.next()
		if err != nil || !ok {
			return refs, err
		}
		refs = append(refs, f)
	}
}

// refsInMemory holds refs that are sorted.
func refsInMemory(refs []Ref, peeled bool) *packedRefs {
	text := []byte{'\n'} // the first ref follows on a line, as in a file
	for _, f := range refs {
		text = appendPacked(text, f)
	}
	return &packedRefs{content: bytes.NewReader(text), size: int64(len(text)), start: 1, peeled: peeled}
}

// appendPacked appends a ref as it stands in the file.
func appendPacked(text []byte, f Ref) []byte {
	text = append(append(hex.AppendEncode(text, f.Hash[:]), ' '), f.Name...)
	if !f.Peeled.IsZero() && f.Peeled != f.Hash {
		text = hex.AppendEncode(append(text, "\n^"...), f.Peeled[:])
	}
	return append(text, '\n')
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

// Each implements Snapshot: it visits the refs whose names begin with prefix, by name.
func (p *packedRefs) Each(prefix string, visit func(Ref) error) error {
	scan, err := p.from(prefix)
	for err == nil {
		f, ok, nextErr := scan.next()
		if nextErr != nil || !ok || !strings.HasPrefix(f.Name, prefix) {
			return nextErr
		}
		err = visit(f)
	}
	return err
}

// Find implements Snapshot.
func (p *packedRefs) Find(name string) (Ref, bool, error) {
	scan, err := p.from(name)
	if err != nil {
		return Ref{}, false, err
	}
	f, ok, err := scan.next()
	if err != nil || !ok || f.Name != name {
		return Ref{}, false, err
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
func (s *packedScanner) next() (f Ref, ok bool, err error) {
	for {
		line, err := s.line()
		if err != nil || line == nil {
			return Ref{}, false, err
		}
		if s.midLine || line[0] == '^' {
			s.midLine = false
			continue
		}
		s.began = s.at - int64(len(line))
		if f, err = parsePackedRef(line); err != nil {
			return Ref{}, false, err
		}
		break
	}
	if s.packed.peeled {
		f.Peeled = f.Hash
	}
	if c, err := s.lines.Peek(1); err == nil && c[0] == '^' {
		line, err := s.line()
		if err != nil {
			return Ref{}, false, err
		}
		if f.Peeled, ok = objects.ParseHash(bytes.TrimSpace(line[1:])); !ok {
			return Ref{}, false, fmt.Errorf("packed-refs has an invalid line %q", line)
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

func parsePackedRef(line []byte) (f Ref, err error) {
	hash, name, _ := bytes.Cut(line[:len(line)-1], []byte{' '})
	var ok bool
	if f.Hash, ok = objects.ParseHash(hash); !ok || len(name) == 0 || bytes.ContainsFunc(name, isNoName) {
		return f, fmt.Errorf("packed-refs has an invalid line %q", line)
	}
	f.Name = string(name)
	return f, nil
}

// isNoName reports whether no name of a ref has a character, such as the first one of a line's end that is not git's.
func isNoName(r rune) bool { return r <= ' ' || r == '\x7f' }
