package buildkit

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLine is how many bytes of one line of output are kept.
const maxLine = 4 << 10

// escapes are the terminal sequences that programs print in the belief that
// somebody watches: colours, cursor moves, window titles.
var escapes = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[ -/]*[0-~])")

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
	text := cleanLine(string(line))
	if l.cut {
		text += " … (line cut)"
	}
	l.partial, l.cut, l.pending = l.partial[:0], false, false
	return text
}

// cleanLine makes a line safe to show on any terminal: no escape sequences, no
// control characters but tabs, and valid UTF-8.
func cleanLine(line string) string {
	if isPlain(line) {
		return line // nearly all are, and there may be millions
	}
	line = strings.ToValidUTF8(line, "\uFFFD")
	line = escapes.ReplaceAllString(line, "")
	return strings.Map(func(r rune) rune {
		if r == '\t' || !unicode.IsControl(r) {
			return r
		}
		return -1
	}, line)
}

func isPlain(line string) bool {
	for i := range len(line) {
		if c := line[i]; c < ' ' && c != '\t' || c >= 0x7f {
			return false
		}
	}
	return true
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
