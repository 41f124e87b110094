package builder

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fandoghpaas/fandogh/catalog"
)

// A build's log is the file <LogDir>/<build id>.log. It is append only, and it
// is the truth: whatever shows output read it from there. One line of the log is
//
//	<offset> <text>\n
//
// where offset is the time since the build was queued, in whole milliseconds,
// decimal, and never less than the line before. Text is valid UTF-8 without
// control characters but tab. Every attempt at a build appends to the same file.
// What follows the last line end was torn by a crash: readers don't see it, and
// the next append cuts it off.

// What a line takes. It is cleaned, and cut where it is too long, by this package alone.
const (
	// maxLineBytes bounds one line of text; readers rely on a line, with its
	// offset, being shorter than readChunk.
	maxLineBytes = 16 << 10
	// maxOutputLineBytes bounds what is kept of one line that a step prints.
	maxOutputLineBytes = 4 << 10
)

const cutMark = " … (line cut)"

// escapeSequence matches what steers a terminal: colours, cursor moves and
// titles. Output of one build is shown on other people's terminals.
var escapeSequence = regexp.MustCompile(`\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])`)

// CleanLine makes one line safe to show on any terminal: no escape sequences,
// no control characters but tabs, nothing that reorders other characters, and
// valid UTF-8.
func CleanLine(line string) string {
	if isPlain(line) {
		return line // nearly all are, and there may be millions
	}
	line = strings.ToValidUTF8(line, "\uFFFD")
	return strings.Map(showable, escapeSequence.ReplaceAllString(line, ""))
}

func isPlain(line string) bool {
	for i := range len(line) {
		if c := line[i]; c < ' ' && c != '\t' || c >= 0x7f {
			return false
		}
	}
	return true
}

// showable drops control characters. What makes a terminal show text in another
// order than it has, and line ends that only some programs know, become the
// replacement character, so that their place is seen. The marks that right-to-left
// scripts need in one word (U+200C to U+200F) stay.
func showable(r rune) rune {
	switch {
	case unicode.IsControl(r) && r != '\t':
		return -1
	case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069', r == '\u2028', r == '\u2029':
		return unicode.ReplacementChar
	}
	return r
}

// cleanLines makes text fit for the log: one element a line.
func cleanLines(text string) []string {
	lines := strings.Split(strings.TrimRight(text, "\r\n"), "\n")
	for i, line := range lines {
		line = strings.TrimRight(line, "\r")
		// A carriage return redraws the line; what stands at the end is what counts.
		line = CleanLine(line[strings.LastIndexByte(line, '\r')+1:])
		if len(line) > maxLineBytes {
			line = cutThrough(line[:maxLineBytes-len(cutMark)]) + cutMark
		}
		lines[i] = line
	}
	return lines
}

// cutThrough returns the beginning of a line without the character that was cut through, if one was.
func cutThrough(line string) string {
	for range utf8.UTFMax - 1 {
		if r, size := utf8.DecodeLastRuneInString(line); r != utf8.RuneError || size != 1 {
			break
		}
		line = line[:len(line)-1]
	}
	return line
}

// appendLine encodes one clean line.
func appendLine(to []byte, line catalog.LogLine) []byte {
	to = strconv.AppendInt(to, line.Offset.Milliseconds(), 10)
	to = append(to, ' ')
	to = append(to, line.Text...)
	return append(to, '\n')
}

// parseLine decodes a line without its line end. A line without a readable
// offset, which only a damaged disk makes, is shown whole.
func parseLine(raw string) catalog.LogLine {
	offset, text, found := strings.Cut(raw, " ")
	ms, err := strconv.ParseUint(offset, 10, 43)
	if !found || err != nil {
		return catalog.LogLine{Text: raw}
	}
	return catalog.LogLine{Offset: time.Duration(ms) * time.Millisecond, Text: text}
}
