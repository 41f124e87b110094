package builder

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"sort"
	"strconv"
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
	// maxEscaped is how long a value may be to be looked for in URLs and quoted, in bytes.
	maxEscaped = 4 << 10
	// maxBreaks is how many characters of line ends in a row may stand in the middle of a value.
	maxBreaks = 4
)

// Mask takes secret values out of texts: as they are, in base64 and hex, in a URL, quoted as JSON, Go and shells do
// it, and each also where it is broken into lines. A nil Mask takes nothing out. It is safe for concurrent use.
type Mask struct {
	pieces []string // what is looked for, in order, each once
	first  [257]int // the first piece that begins with a byte, or with a larger one
}

// NewMask returns a Mask for values; nil for none.
func NewMask(values [][]byte) *Mask {
	m := &Mask{}
	for _, value := range values {
		m.add(value)
	}
	if len(m.pieces) == 0 {
		return nil
	}
	slices.Sort(m.pieces)
	m.pieces = slices.Clip(slices.Compact(m.pieces))
	for begin := range m.first {
		m.first[begin] = sort.Search(len(m.pieces), func(i int) bool { return int(m.pieces[i][0]) >= begin })
	}
	return m
}

func (m *Mask) add(value []byte) {
	value = bytes.TrimRight(value, "\r\n")
	if len(value) < minPiece {
		return
	}
	text := string(value)
	if lines := strings.FieldsFunc(text, isBreak); len(lines) > 1 {
		for _, line := range lines {
			if line = strings.TrimSpace(line); len(line) >= minPieceLine {
				m.addPieces(line)
			}
		}
	}
	texts := slices.Concat([]string{text}, inHex(value), inBase64(value))
	if len(text) <= maxEscaped {
		texts = slices.Concat(texts, inURLs(text), quoted(text))
	}
	slices.Sort(texts)
	for _, text := range slices.Compact(texts) {
		m.addPieces(text)
	}
}

// inHex returns a value as xxd and its like write it.
func inHex(value []byte) []string {
	lower := hex.EncodeToString(value)
	return []string{lower, strings.ToUpper(lower)}
}

// inURLs returns a text as programs escape it in URLs. They differ in what they leave as it is.
func inURLs(text string) (found []string) {
	for _, kept := range []string{"-_.~", "-_.~/", "-_.~!*'()", "-_.~$&+:=@", "-_.~!*'();/?:@&=+$,#"} {
		for _, digits := range []string{"0123456789ABCDEF", "0123456789abcdef"} {
			var escaped strings.Builder
			for _, c := range []byte(text) {
				if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(kept, c) >= 0 {
					escaped.WriteByte(c)
				} else {
					escaped.Write([]byte{'%', digits[c>>4], digits[c&15]})
				}
			}
			found = append(found, escaped.String(), strings.ReplaceAll(escaped.String(), "%20", "+"))
		}
	}
	return found
}

// quoted returns a text as JSON, Go, shells and what is like them write it, without the quotes around it.
func quoted(text string) []string {
	inGo := strconv.Quote(text)
	inASCII := strconv.QuoteToASCII(text)
	found := []string{inGo[1 : len(inGo)-1], inASCII[1 : len(inASCII)-1], strings.ReplaceAll(text, "'", `'\''`), strings.ReplaceAll(text, "'", `'"'"'`)}
	for _, html := range []bool{true, false} {
		var out bytes.Buffer
		encoder := json.NewEncoder(&out)
		encoder.SetEscapeHTML(html)
		_ = encoder.Encode(text) // never fails
		inJSON := strings.TrimSuffix(out.String(), "\n")
		found = append(found, inJSON[1:len(inJSON)-1], strings.ReplaceAll(inJSON[1:len(inJSON)-1], "/", `\/`))
	}
	return found
}

// inBase64 returns what a value adds to the base64 of texts in which it begins no, one or two bytes
// behind a multiple of three: the characters that nothing but the value decides about.
func inBase64(value []byte) (found []string) {
	for shift := range 3 {
		text := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), value...))
		text = text[(8*shift+5)/6 : 8*(shift+len(value))/6]
		found = append(found, text, forURLs.Replace(text))
	}
	return found
}

var forURLs = strings.NewReplacer("+", "-", "/", "_")

// addPieces adds a text, in parts when it is long.
func (m *Mask) addPieces(text string) {
	text = withoutBreaks.Replace(text)
	for len(text) > 2*maxPiece {
		m.pieces = append(m.pieces, text[:maxPiece])
		text = text[maxPiece:]
	}
	if len(text) >= minPiece {
		m.pieces = append(m.pieces, text)
	}
}

var withoutBreaks = strings.NewReplacer("\n", "", "\r", "")

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
// begin with one, or a longer one, that it does not hold to its end. Its time is bounded by the longest piece,
// however many there are: steps choose what is printed.
func (m *Mask) match(data []byte) (end int, more bool) {
	if isBreak(rune(data[0])) {
		return 0, false
	}
	from, to := m.first[data[0]], m.first[int(data[0])+1] // the pieces that data goes along with so far
	at, breaks := 0, 0                                    // how far in them
	for i, c := range data {
		if isBreak(rune(c)) {
			if breaks++; breaks > maxBreaks {
				return end, false
			}
			continue
		}
		breaks = 0
		if from, to = m.narrow(from, to, at, c); from == to {
			return end, false
		}
		if at++; len(m.pieces[from]) == at { // the shortest stands first
			end = i + 1
			if from++; from == to {
				return end, false
			}
		}
	}
	return end, true
}

// narrow returns those of the pieces in a range that have a byte at a place. All are longer than that.
func (m *Mask) narrow(from, to, at int, c byte) (narrowedFrom, narrowedTo int) {
	if from == to || m.pieces[from][at] == c && m.pieces[to-1][at] == c {
		return from, to
	}
	from += sort.Search(to-from, func(i int) bool { return m.pieces[from+i][at] >= c })
	to = from + sort.Search(to-from, func(i int) bool { return m.pieces[from+i][at] > c })
	return from, to
}
