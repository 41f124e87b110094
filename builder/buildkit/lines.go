package buildkit

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/fandoghpaas/fandogh/builder"
)

// maxLine is how many bytes of one line of output are kept.
const maxLine = 4 << 10

// lineSplitter makes whole lines of a stream that arrives in pieces. A carriage
// return starts the line over, as on a terminal, so of a progress bar the last
// state is left.
type lineSplitter struct {
	partial []byte
	cut     bool // the line is longer than maxLine; what follows is dropped
	pending bool // a carriage return came; a line feed may follow it
}

// write returns the lines that data completes.
func (l *lineSplitter) write(data []byte) []string {
	var lines []string
	for len(data) > 0 {
		i := bytes.IndexAny(data, "\r\n")
		if i < 0 {
			l.add(data)
			break
		}
		l.add(data[:i])
		if data[i] == '\n' {
			lines = append(lines, l.take())
		} else {
			l.pending = true
		}
		data = data[i+1:]
	}
	return lines
}

// flush returns what is left without a line end, if anything is.
func (l *lineSplitter) flush() []string {
	if len(l.partial) == 0 {
		return nil
	}
	return []string{l.take()}
}

func (l *lineSplitter) add(data []byte) {
	if len(data) == 0 {
		return
	}
	if l.pending {
		l.partial, l.cut, l.pending = l.partial[:0], false, false
	}
	if room := maxLine - len(l.partial); len(data) > room {
		data, l.cut = data[:room], true
	}
	l.partial = append(l.partial, data...)
}

func (l *lineSplitter) take() string {
	line := l.partial
	if l.cut {
		// A character that was cut through goes as a whole.
		for range utf8.UTFMax - 1 {
			if r, size := utf8.DecodeLastRune(line); r != utf8.RuneError || size != 1 {
				break
			}
			line = line[:len(line)-1]
		}
	}
	text := withoutHostPaths(builder.CleanLine(string(line)))
	if l.cut {
		text += " … (line cut)"
	}
	l.partial, l.cut, l.pending = l.partial[:0], false, false
	return text
}

// skipTo leaves out all of data but its last lines, and forgets what came before
// them. It is for output of which only the end is still wanted.
func (l *lineSplitter) skipTo(lines int, data []byte) []byte {
	rest := data
	for range lines + 1 {
		i := bytes.LastIndexByte(rest, '\n')
		if i < 0 {
			return data
		}
		rest = rest[:i]
	}
	l.partial, l.cut, l.pending = l.partial[:0], false, false
	return data[len(rest)+1:]
}

// hostPath is where BuildKit keeps on its machine what is a root directory or a mount
// to the step; what follows is the path that the user knows.
var hostPath = regexp.MustCompile(`[^\s"'=:]*/(?:runc-[\w.-]+/(?:snapshots/snapshots/\d+/fs|cachemounts/buildkit\d+|executor/\w+/rootfs)|buildkit-mount\d+|containerd-mount\d+)(/?)`)

// hostFile is any other file of BuildKit's own.
var hostFile = regexp.MustCompile(`[^\s"'=:]*/(?:runc-[\w.-]+/[^\s"':]*|cache\.db)`)

func withoutHostPaths(text string) string {
	if !strings.Contains(text, "/runc-") && !strings.Contains(text, "-mount") && !strings.Contains(text, "/cache.db") {
		return text // nearly all
	}
	return hostFile.ReplaceAllString(hostPath.ReplaceAllString(text, "/"), "(a file of the builder)")
}
