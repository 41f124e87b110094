package builder

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	readChunk   = 64 << 10
	indexStride = 256 // lines between two entries of a log's index
)

// logFile is one build's log in this process, shared by its writer and all who
// read it. The file is made by the first append.
type logFile struct {
	id   int64
	path string
	load sync.Once // reads what an earlier process left

	mu        sync.Mutex
	file      *os.File
	size      int64         // bytes of whole lines
	lines     int           // how many those are
	last      time.Duration // offset of the last line
	index     []int64       // where line i*indexStride begins
	changed   chan struct{} // closed and replaced when readers are notified
	notified  time.Time     // when that was last
	notifying bool          // a timer will do it again
	ended     *catalog.Build
	broken    error // why the log can't be read or written
}

func newLogFile(id int64, path string) *logFile {
	return &logFile{id: id, path: path, changed: make(chan struct{})}
}

// open reads the file's shape once; a file that isn't there yet is empty.
func (l *logFile) open() error {
	l.load.Do(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		file, err := os.OpenFile(l.path, os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err == nil {
			l.file = file
			err = l.scan()
		}
		l.broken = err
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken
}

// scan counts and indexes the whole lines of the file. l.mu is held.
func (l *logFile) scan() error {
	r := io.NewSectionReader(l.file, 0, 1<<62)
	chunk := make([]byte, readChunk)
	var position int64
	var lineStart int64
	for {
		n, err := r.Read(chunk)
		for rest := chunk[:n]; ; {
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				position += int64(len(rest))
				break
			}
			position += int64(end) + 1
			rest = rest[end+1:]
			l.count(lineStart)
			lineStart = position
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
	}
	l.size = lineStart
	return l.loadLast()
}

// count adds one line that begins at start. l.mu is held.
func (l *logFile) count(start int64) {
	if l.lines%indexStride == 0 {
		l.index = append(l.index, start)
	}
	l.lines++
}

// loadLast finds the last line's offset. l.mu is held.
func (l *logFile) loadLast() error {
	start := max(0, l.size-readChunk)
	tail := make([]byte, l.size-start)
	if _, err := l.file.ReadAt(tail, start); err != nil && err != io.EOF {
		return fmt.Errorf("read log: %w", err)
	}
	tail = bytes.TrimSuffix(tail, []byte("\n"))
	l.last = parseLine(string(tail[bytes.LastIndexByte(tail, '\n')+1:])).Offset
	return nil
}

// append adds lines of one moment. Offsets that go back are lifted.
func (l *logFile) append(offset time.Duration, texts []string) error {
	if err := l.open(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		file, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE, 0o640)
		if err != nil {
			return fmt.Errorf("create log: %w", err)
		}
		l.file = file
	}
	l.last = max(l.last, offset)
	var data []byte
	starts := make([]int64, len(texts))
	for i, text := range texts {
		starts[i] = l.size + int64(len(data))
		data = appendLine(data, catalog.LogLine{Offset: l.last, Text: text})
	}
	// Writing at the end of the last whole line overwrites a torn one; what
	// stays of it beyond the new data has to go first.
	if err := l.cutTorn(); err != nil {
		return err
	}
	if _, err := l.file.WriteAt(data, l.size); err != nil {
		return fmt.Errorf("write log: %w", err)
	}
	l.size += int64(len(data))
	for _, start := range starts {
		l.count(start)
	}
	l.wake()
	return nil
}

// cutTorn removes what a crash or a failed write left after the last whole
// line. l.mu is held.
func (l *logFile) cutTorn() error {
	info, err := l.file.Stat()
	if err == nil && info.Size() != l.size {
		err = l.file.Truncate(l.size)
	}
	if err != nil {
		return fmt.Errorf("cut torn log line: %w", err)
	}
	return nil
}

// tellPause is the least time between two rounds to those who wait. What is
// rare arrives at once; a chatty step costs a thousand followers 25 rounds a
// second and not one a line.
const tellPause = 40 * time.Millisecond

// wake notifies every waiting reader, soon. l.mu is held.
func (l *logFile) wake() {
	if l.notifying {
		return
	}
	wait := tellPause - time.Since(l.notified)
	if wait <= 0 {
		l.notify()
		return
	}
	l.notifying = true
	time.AfterFunc(wait, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.notifying = false
		l.notify()
	})
}

// notify is wake without the pause. l.mu is held.
func (l *logFile) notify() {
	close(l.changed)
	l.changed = make(chan struct{})
	l.notified = time.Now()
}

// end lets followers go once they have all lines.
func (l *logFile) end(build catalog.Build) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = &build
	l.notify()
}

// sync makes what was appended survive a power cut.
func (l *logFile) sync() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	return l.file.Sync()
}

func (l *logFile) length() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.size
}

func (l *logFile) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// cursor is one reader's place in a log.
type cursor struct {
	log      *logFile
	position int64
	skip     int // lines still to pass over
}

// after returns a cursor behind the first skip lines, found by the index.
func (l *logFile) after(skip int) cursor {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := cursor{log: l, skip: max(0, skip)}
	if entry := min(c.skip/indexStride, len(l.index)-1); entry > 0 {
		c.position = l.index[entry]
		c.skip -= entry * indexStride
	}
	return c
}

// snapshot is what a reader who has caught up waits for and looks at. It is taken
// before reading, so that nothing appended since is missed.
type snapshot struct {
	changed <-chan struct{}
	ended   *catalog.Build
	file    *os.File
	size    int64
}

func (l *logFile) snapshot() snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return snapshot{changed: l.changed, ended: l.ended, file: l.file, size: l.size}
}

// next returns the lines of the next chunk up to n's size, at most limit of
// them (0: no limit). No lines and no error: the reader has caught up.
func (c *cursor) next(n snapshot, buffer []byte, limit int) ([]catalog.LogLine, error) {
	for c.position < n.size {
		chunk := buffer[:min(int64(len(buffer)), n.size-c.position)]
		if _, err := n.file.ReadAt(chunk, c.position); err != nil && err != io.EOF {
			return nil, fmt.Errorf("read log: %w", err)
		}
		whole := bytes.LastIndexByte(chunk, '\n') + 1
		if whole == 0 { // longer than any line we write: damage, shown in pieces
			whole = len(chunk)
		}
		if lines := c.take(chunk[:whole], limit); len(lines) > 0 {
			return lines, nil
		}
	}
	return nil, nil
}

// take parses lines out of chunk and moves past those it passed or returned.
func (c *cursor) take(chunk []byte, limit int) []catalog.LogLine {
	var lines []catalog.LogLine
	for len(chunk) > 0 && (limit == 0 || len(lines) < limit) {
		raw, rest, _ := bytes.Cut(chunk, []byte("\n"))
		c.position += int64(len(chunk) - len(rest))
		chunk = rest
		if c.skip > 0 {
			c.skip--
			continue
		}
		lines = append(lines, parseLine(string(raw)))
	}
	return lines
}
