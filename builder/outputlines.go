package builder

import (
	"bytes"
)

// OutputLines makes whole lines, as a log has them, of a step's stream that arrives in pieces. A carriage
// return starts the line over, as on a terminal, so of a progress bar the last
// state is left.
type OutputLines struct {
	// Rewrite is what else is done to a line; nil: nothing.
	Rewrite func(line string) string

	partial []byte
	cut     bool // the line is longer than maxOutputLineBytes; what follows is dropped
	pending bool // a carriage return came; a line feed may follow it
}

// Write returns the lines that data completes.
func (l *OutputLines) Write(data []byte) []string {
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

// Flush returns what is left without a line end, if anything is.
func (l *OutputLines) Flush() []string {
	if len(l.partial) == 0 {
		return nil
	}
	return []string{l.take()}
}

func (l *OutputLines) add(data []byte) {
	if len(data) == 0 {
		return
	}
	if l.pending {
		l.partial, l.cut, l.pending = l.partial[:0], false, false
	}
	if room := maxOutputLineBytes - len(l.partial); len(data) > room {
		data, l.cut = data[:room], true
	}
	l.partial = append(l.partial, data...)
}

func (l *OutputLines) take() string {
	text := string(l.partial)
	if l.cut {
		text = cutThrough(text)
	}
	text = CleanLine(text)
	if l.Rewrite != nil {
		text = l.Rewrite(text)
	}
	if l.cut {
		text += cutMark
	}
	l.partial, l.cut, l.pending = l.partial[:0], false, false
	return text
}

// SkipTo leaves out all of data but its last lines, and forgets what came before
// them. It is for output of which only the end is still wanted.
func (l *OutputLines) SkipTo(lines int, data []byte) []byte {
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
