package builder

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// FuzzLogFile holds that whatever a crash or a disk left in a log, all its whole lines are read, in pages as
// well, and what is appended follows them.
func FuzzLogFile(f *testing.F) {
	f.Add([]byte("0 one\n12 two\n13 torn"), 1, 1)
	f.Add([]byte("\n\n\x00 x\n99999999999999999999 y\n"), 0, 2)
	f.Add(bytes.Repeat([]byte("5 line\n"), 3*indexStride), indexStride, 7)
	f.Add(bytes.Repeat([]byte("x"), 2*readChunk), 0, 0)
	f.Fuzz(func(t *testing.T, data []byte, skip, limit int) {
		path := filepath.Join(t.TempDir(), "1.log")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		l := newLogFile(1, path)
		if err := l.open(); err != nil {
			t.Fatal(err)
		}
		defer l.close() //nolint:errcheck // only read
		whole := data[:bytes.LastIndexByte(data, '\n')+1]
		count := bytes.Count(whole, []byte("\n"))
		if l.lines != count || l.length() != int64(len(whole)) {
			t.Fatalf("%d lines of %d bytes, want %d of %d", l.lines, l.length(), count, len(whole))
		}
		if longest(whole) >= readChunk {
			return // which no log has; it is shown in pieces
		}
		read := func(skip, limit int) (lines []catalog.LogLine) {
			for c, buffer := l.after(skip), make([]byte, readChunk); ; {
				some, err := c.next(l.snapshot(), buffer, limit)
				if err != nil {
					t.Fatal(err)
				}
				if len(some) == 0 {
					return lines
				}
				if limit > 0 && len(some) > limit {
					t.Fatalf("%d lines at once, of %d at most", len(some), limit)
				}
				lines = append(lines, some...)
			}
		}
		all := read(0, 0)
		if len(all) != count {
			t.Fatalf("read %d lines of %d", len(all), count)
		}
		from := min(max(skip, 0), count)
		if part := read(from, max(limit, 0)); !slices.Equal(part, all[from:]) {
			t.Errorf("from line %d on there are %d, want %d", from, len(part), count-from)
		}
		if err := l.append(time.Hour, []string{"more"}); err != nil {
			t.Fatal(err)
		}
		after := read(0, 0)
		if len(after) != count+1 || !slices.Equal(after[:count], all) || after[count].Text != "more" {
			t.Errorf("%d lines became %d", count, len(after))
		}
	})
}

func longest(lines []byte) (most int) {
	for line := range bytes.Lines(lines) {
		most = max(most, len(line))
	}
	return most
}
