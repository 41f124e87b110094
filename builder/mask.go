package builder

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// masked stands where a secret was.
const masked = "***"

const (
	// minPiece is how long a value must be to be taken out of a log, in bytes; a shorter one is
	// part of too many words.
	minPiece = 4
	// minPieceLine is the same for a line of a value that has several: most are not secret by themselves.
	minPieceLine = 8
	// maxPiece bounds what is looked for at once; a longer value is looked for in parts. Twice as much may be left over.
	maxPiece = 64
	// maxBreaks is how many characters of line ends in a row may stand in the middle of a value.
	maxBreaks = 4
)

// Mask takes secret values out of texts: as they are, in base64, in a URL, in JSON, and each also where it is
// broken into lines. A nil Mask takes nothing out. It is safe for concurrent use.
type Mask struct {
	pieces map[string][]string // what is looked for, by the first minPiece bytes, longest first
	begins map[string]bool     // all their beginnings that are shorter than that
}

// NewMask returns a Mask for values; nil for none.
func NewMask(values [][]byte) *Mask {
	m := &Mask{pieces: map[string][]string{}, begins: map[string]bool{}}
	for _, value := range values {
		m.add(value)
	}
	if len(m.pieces) == 0 {
		return nil
	}
	for begin, pieces := range m.pieces {
		slices.SortFunc(pieces, func(a, b string) int { return len(b) - len(a) })
		m.pieces[begin] = slices.Compact(pieces)
		for n := 1; n < minPiece; n++ {
			m.begins[begin[:n]] = true
		}
	}
	return m
}

func (m *Mask) add(value []byte) {
	value = bytes.TrimRight(value, "\r\n")
	if len(value) < minPiece {
		return
	}
	text := string(value)
	m.addPieces(text)
	if lines := strings.FieldsFunc(text, isBreak); len(lines) > 1 {
		for _, line := range lines {
			if line = strings.TrimSpace(line); len(line) >= minPieceLine {
				m.addPieces(line)
			}
		}
	}
	m.addPieces(url.QueryEscape(text))
	m.addPieces(url.PathEscape(text))
	if quoted, err := json.Marshal(text); err == nil {
		m.addPieces(string(quoted[1 : len(quoted)-1]))
	}
	for shift := range 3 {
		m.addPieces(inBase64(value, shift))
	}
}

// inBase64 returns what a value adds to the base64 of a text in which it begins shift bytes
// behind a multiple of three: the characters that nothing but the value decides about.
func inBase64(value []byte, shift int) string {
	text := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), value...))
	return text[(8*shift+5)/6 : 8*(shift+len(value))/6]
}

// addPieces adds a text, in parts when it is long, and as base64 for URLs has it.
func (m *Mask) addPieces(text string) {
	text = strings.Map(func(r rune) rune {
		if isBreak(r) {
			return -1
		}
		return r
	}, text)
	for len(text) > 2*maxPiece {
		m.addPiece(text[:maxPiece])
		text = text[maxPiece:]
	}
	m.addPiece(text)
}

var forURLs = strings.NewReplacer("+", "-", "/", "_")

func (m *Mask) addPiece(text string) {
	if len(text) < minPiece {
		return
	}
	for _, piece := range []string{text, forURLs.Replace(text)} {
		m.pieces[piece[:minPiece]] = append(m.pieces[piece[:minPiece]], piece)
	}
}

func isBreak(r rune) bool { return r == '\n' || r == '\r' }

// Text returns a text without the values.
func (m *Mask) Text(text string) string {
	if m == nil || text == "" {
		return text
	}
	s := MaskedStream{Mask: m}
	return string(append(s.Write([]byte(text)), s.Flush()...))
}

// MaskedStream takes values out of a stream that comes in pieces. What may be the beginning of a
// value is held back until more comes.
type MaskedStream struct {
	Mask *Mask // nil: nothing is taken out

	held  []byte
	after bool // a value ended where held begins
}

// Write returns what is known to be no part of a value, of data and what was held back.
func (s *MaskedStream) Write(data []byte) []byte {
	if s.Mask == nil {
		return data
	}
	s.held = append(s.held, data...)
	return s.pass(false)
}

// Flush returns what is held back.
func (s *MaskedStream) Flush() []byte { return s.pass(true) }

func (s *MaskedStream) pass(isEnd bool) []byte {
	var out []byte
	at := 0
	for at < len(s.held) {
		end, more := s.Mask.match(s.held[at:])
		if more && !isEnd {
			break
		}
		if end == 0 {
			out = append(out, s.held[at])
			s.after = false
			at++
			continue
		}
		if !s.after {
			out = append(out, masked...)
		}
		for range bytes.Count(s.held[at:at+end], []byte("\n")) {
			out = append(out, "\n"+masked...)
		}
		s.after = true
		at += end
	}
	s.held = append(s.held[:0], s.held[at:]...)
	return out
}

// match returns the length of the longest value that data begins with, 0 for none; more when it may
// begin with one, or a longer one, that it does not hold to its end.
func (m *Mask) match(data []byte) (end int, more bool) {
	if data[0] == '\n' || data[0] == '\r' {
		return 0, false
	}
	begin := make([]byte, 0, minPiece)
	for i, breaks := 0, 0; i < len(data) && len(begin) < minPiece; i++ {
		if !isBreak(rune(data[i])) {
			begin = append(begin, data[i])
			breaks = 0
		} else if breaks++; breaks > maxBreaks {
			return 0, false
		}
	}
	if len(begin) < minPiece {
		return 0, m.begins[string(begin)]
	}
	for _, piece := range m.pieces[string(begin)] {
		length, isWhole := follow(data, piece)
		if isWhole {
			return max(end, length), more
		}
		more = more || length == len(data)
	}
	return 0, more
}

// follow returns how far data goes along with a piece, line ends in it not counted, and whether
// that is the whole piece.
func follow(data []byte, piece string) (length int, isWhole bool) {
	at, breaks := 0, 0
	for i, c := range data {
		if isBreak(rune(c)) && breaks < maxBreaks {
			breaks++
			continue
		}
		if c != piece[at] {
			return i, false
		}
		breaks = 0
		if at++; at == len(piece) {
			return i + 1, true
		}
	}
	return len(data), false
}
