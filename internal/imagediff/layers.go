package imagediff

import (
	"archive/tar"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/fandoghpaas/fandogh/internal/imagefile"
)

// Limits bound what is read of two layers, and what of it is held.
type Limits struct {
	Unpacked    int64 // bytes of each layer without its compression, and of all the files in it
	Held        int   // bytes for files that one layer has and the other does not have so far
	Differences int   // that are returned
}

// DefaultLimits are more than layers need whose files are mostly the same.
var DefaultLimits = Limits{Unpacked: 64 << 30, Held: 64 << 20, Differences: 1000}

// LayerError is what is wrong with layers that can't be compared.
type LayerError struct{ err error }

// Error says which layer it is, too.
func (e *LayerError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *LayerError) Unwrap() error { return e.err }

// Layers compares two layers, compressed or not, and returns the first differences by name, and whether there are more. None means that both
// have the same files: then their order or what holds them is another, or there is nothing. Files of one name are matched in the order in
// which they come, so that layers in one order take no memory however many files they have. Errors: LayerError; ctx's own.
func Layers(ctx context.Context, was, is io.Reader, limits Limits) (all []Difference, more bool, err error) {
	c := comparison{limits: limits}
	if c.was, err = newSide(ctx, "the first layer", was, limits.Unpacked); err != nil {
		return nil, false, err
	}
	if c.is, err = newSide(ctx, "the second layer", is, limits.Unpacked); err != nil {
		return nil, false, err
	}
	for !c.was.ended || !c.is.ended {
		if err = c.step(c.was, c.is); err == nil {
			err = c.step(c.is, c.was)
		}
		if err != nil {
			return nil, false, err
		}
	}
	c.rest(c.was, "removed")
	c.rest(c.is, "added")
	c.keepFirst()
	return c.all, c.more, nil
}

// comparison is of two layers while they are read.
type comparison struct {
	limits  Limits
	was, is *side
	held    int // bytes, of both sides
	all     []Difference
	more    bool
}

// step reads the next file of a side, and compares it where the other side had it before.
func (c *comparison) step(mine, other *side) error {
	if mine.ended {
		return nil
	}
	name, e, err := mine.next()
	if err != nil || mine.ended {
		return err
	}
	if met, ok := other.take(name); ok {
		c.held -= met.cost(name)
		is, was := e, met
		if mine == c.was {
			is, was = met, e
		}
		c.add(name, is.differs(was))
		return nil
	}
	if c.held += e.cost(name); c.held > c.limits.Held {
		return &LayerError{fmt.Errorf("more files than can be compared are in one of the layers alone, such as %s", shown(name))}
	}
	mine.waiting[name] = append(mine.waiting[name], e)
	return nil
}

// rest adds what a side has alone.
func (c *comparison) rest(s *side, what string) {
	for name, all := range s.waiting {
		for range all {
			c.add(name, what)
		}
	}
}

func (c *comparison) add(name, what string) {
	if what == "" {
		return
	}
	if c.all = append(c.all, Difference{name, what}); len(c.all) >= 2*c.limits.Differences {
		c.keepFirst()
	}
}

// keepFirst orders the differences by name, and keeps as many as are told.
func (c *comparison) keepFirst() {
	slices.SortStableFunc(c.all, func(a, b Difference) int { return cmp.Compare(a.Name, b.Name) })
	if len(c.all) > c.limits.Differences {
		c.all, c.more = c.all[:c.limits.Differences], true
	}
}

// side is one of two layers.
type side struct {
	what     string
	unpacked *limited
	files    *tar.Reader
	contents *limited // of the files: that of a sparse file may be more than the tar has
	number   int      // of the last file
	header   *tar.Header
	ended    bool
	waiting  map[string][]entry // by name, in the order in which they came
}

func newSide(ctx context.Context, what string, layer io.Reader, limit int64) (*side, error) {
	s := &side{what: what, waiting: map[string][]entry{}}
	plain, err := imagefile.Decompress(layer)
	if err != nil {
		return nil, s.fault(err)
	}
	s.unpacked = &limited{ctx, plain, limit, limit}
	s.files = tar.NewReader(s.unpacked)
	s.contents = &limited{ctx, s.files, limit, limit}
	return s, nil
}

// next reads a file, or what is behind the last one: that belongs to the layer, too, and is read so that a damaged one is told.
func (s *side) next() (name string, e entry, err error) {
	h, err := s.files.Next()
	if errors.Is(err, io.EOF) {
		s.ended = true
		_, err = io.Copy(io.Discard, s.unpacked)
		return "", e, s.fault(err)
	}
	if err != nil {
		return "", e, s.fault(err)
	}
	s.number++
	if h.Size > s.contents.room {
		return "", e, s.fault(tooLargeError(s.contents.limit))
	}
	s.header, e = h, entryOf(h)
	sum := sha256.New()
	if _, err := io.Copy(sum, s.contents); err != nil {
		return "", e, s.fault(err)
	}
	sum.Sum(e.content[:0])
	return path.Clean("/" + h.Name), e, nil
}

// fault says which layer can't be read, and why.
func (s *side) fault(err error) error {
	damaged := errors.Is(err, tar.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF)
	switch {
	case err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case damaged && s.number == 0:
		return &LayerError{fmt.Errorf("%s is not a tar archive: %w", s.what, err)}
	case damaged:
		return &LayerError{fmt.Errorf("%s is damaged behind its file %d: %w", s.what, s.number, err)}
	}
	return &LayerError{fmt.Errorf("%s: %w", s.what, err)}
}

// take removes the first file of a name from those that wait.
func (s *side) take(name string) (e entry, ok bool) {
	all := s.waiting[name]
	switch len(all) {
	case 0:
		return e, false
	case 1:
		delete(s.waiting, name)
	default:
		s.waiting[name] = all[1:]
	}
	return all[0], true
}

// cost estimates the bytes that an entry takes.
func (e entry) cost(name string) int {
	const fixed = 500
	return fixed + len(name) + len(e.kind) + len(e.mode) + len(e.owner) + len(e.time) + len(e.link) + len(e.device) + len(e.attributes)
}

// tooLargeError has the limit, in bytes.
type tooLargeError int64

func (e tooLargeError) Error() string {
	return fmt.Sprintf("it unpacks to more than %d bytes, which is the limit", int64(e))
}

// limited reads as much as there is room for, until ctx ends, and fails beyond it.
type limited struct {
	ctx         context.Context
	from        io.Reader
	room, limit int64
}

// Read implements io.Reader.
func (l *limited) Read(b []byte) (int, error) {
	if err := l.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := l.from.Read(b)
	if l.room -= int64(n); l.room < 0 {
		return 0, tooLargeError(l.limit)
	}
	return n, err
}
