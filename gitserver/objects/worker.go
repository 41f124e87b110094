package objects

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/klauspost/compress/zlib"
)

// worker is one goroutine of a resolver. What every object needs is made once.
type worker struct {
	resolver *resolver
	hasher   objectHasher
	z        io.ReadCloser
	source   bytes.Reader // of raw
	raw      []byte
	delta    []byte
	spare    [][]byte // given back
	stack    []frame
	turn     func() // gives the turn for big objects back, nil: not taken
	trees    treeChecker
	noted    []Link // links that were checked lately, by some bits of the hash
}

// notedLinks are some 340 kB: successive versions of a directory, which come one
// after the other, name nearly the same objects.
const notedLinks = 1 << 14

func newWorker(r *resolver) *worker {
	return &worker{resolver: r, hasher: newHasher(), noted: make([]Link, notedLinks)}
}

// maxRaw is up to which compressed size an object is read at once.
const maxRaw = 256 << 10

// stored inflates what the pack holds for an entry, a delta for a delta, into buf
// where that is large enough.
func (w *worker) stored(ctx context.Context, i int32, buf []byte) ([]byte, error) {
	start, end := w.resolver.in.entries.at(i).offset(), w.resolver.in.end
	if int(i)+1 < w.resolver.in.entries.n {
		end = w.resolver.in.entries.at(i + 1).offset()
	}
	if end-start > maxRaw {
		in, h, err := openEntry(w.resolver.in.file, start)
		if err != nil {
			return nil, err
		}
		if err := w.awaitTurn(ctx, h.size); err != nil {
			in.close()
			return nil, err
		}
		return in.all(start, h.size)
	}
	if w.raw == nil {
		w.raw = make([]byte, maxRaw)
	}
	raw := w.raw[:end-start]
	if _, err := w.resolver.in.file.ReadAt(raw, start); err != nil {
		return nil, err
	}
	h, err := parseEntryHeader(raw[:min(len(raw), maxEntryHeader)], start)
	if err != nil {
		return nil, err
	}
	if err := w.awaitTurn(ctx, h.size); err != nil {
		return nil, err
	}
	w.source.Reset(raw[h.length:])
	if err := w.resetInflater(); err != nil {
		return nil, corrupt("no zlib stream at %d: %v", start, err)
	}
	if int64(cap(buf)) < h.size {
		buf = make([]byte, h.size)
	}
	data := buf[:h.size]
	if err := readExactly(w.z, data); err != nil {
		return nil, corrupt("object at %d: %v", start, err)
	}
	return data, nil
}

func (w *worker) resetInflater() (err error) {
	if w.z == nil {
		w.z, err = zlib.NewReader(&w.source)
		return err
	}
	return w.z.(zlib.Resetter).Reset(&w.source, nil)
}

// readExactly fills data, with which the stream must end.
func readExactly(z io.Reader, data []byte) error {
	if _, err := io.ReadFull(z, data); err != nil {
		return err
	}
	var end [1]byte
	if n, err := z.Read(end[:]); n != 0 || !errors.Is(err, io.EOF) {
		return errors.New("it is longer than its declared size")
	}
	return nil
}

const (
	// maxSpare is how many bytes a buffer may have to be kept for another use.
	maxSpare  = 64 << 10
	maxSpares = 8
)

// take returns an empty buffer with room for size bytes.
func (w *worker) take(size int64) []byte {
	for i := len(w.spare) - 1; i >= 0; i-- {
		if b := w.spare[i]; int64(cap(b)) >= size {
			w.spare = slices.Delete(w.spare, i, i+1)
			return b[:0]
		}
	}
	if size < maxSpare {
		size = min(maxSpare, size+size/4) // the next version may be larger
	}
	return make([]byte, 0, size)
}

// giveBack takes a buffer that is not in use any more.
func (w *worker) giveBack(b []byte) {
	switch {
	case cap(b) == 0 || cap(b) > maxSpare:
	case len(w.spare) < maxSpares:
		w.spare = append(w.spare, b)
	default: // the smallest is of the least use
		i := 0
		for k := range w.spare {
			if cap(w.spare[k]) < cap(w.spare[i]) {
				i = k
			}
		}
		if cap(w.spare[i]) < cap(b) {
			w.spare[i] = b
		}
	}
}
