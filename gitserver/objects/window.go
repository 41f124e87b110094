package objects

import (
	"cmp"
	"fmt"
	"io"
)

// window reads packs in pieces that grow while one follows on the other.
type window struct {
	pack  *packFile
	start int64
	buf   []byte // what was read
	ahead int64
}

const (
	minWindow = 4 << 10
	maxWindow = 256 << 10
)

func (w *window) end() int64 { return w.start + int64(len(w.buf)) }

// bytes returns up to n bytes at an offset, at least one. They are good until
// the next call.
func (w *window) bytes(pack *packFile, offset, n int64) ([]byte, error) {
	if w.pack != pack || offset < w.start || offset >= w.end() {
		if err := w.fill(pack, offset, n); err != nil {
			return nil, err
		}
	}
	b := w.buf[offset-w.start:]
	return b[:min(n, int64(len(b)))], nil
}

func (w *window) header(pack *packFile, offset int64) (entryHeader, error) {
	if w.pack != pack || offset < w.start || offset+maxEntryHeader > w.end() {
		if err := w.fill(pack, offset, maxEntryHeader); err != nil {
			return entryHeader{}, err
		}
	}
	b := w.buf[offset-w.start:]
	return parseEntryHeader(b[:min(maxEntryHeader, len(b))], offset)
}

func (w *window) fill(pack *packFile, offset, n int64) error {
	if w.pack == pack && offset >= w.start && offset <= w.end() {
		w.ahead = min(2*w.ahead, maxWindow)
	} else {
		w.ahead = minWindow
	}
	if w.buf == nil {
		w.buf = make([]byte, maxWindow)
	}
	size := min(max(n, w.ahead), maxWindow, max(0, pack.size-offset))
	read, err := pack.f.ReadAt(w.buf[:size], offset)
	if w.pack, w.start, w.buf = pack, offset, w.buf[:read]; read > 0 {
		return nil
	}
	return fmt.Errorf("read %s at %d: %w", pack.name, offset, cmp.Or(err, io.ErrUnexpectedEOF))
}
