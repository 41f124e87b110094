package web

import (
	"regexp"
	"strconv"
	"strings"
)

// maxShownLine is how many bytes of a line a page shows; the download has all of it.
const maxShownLine = 4096

// part is a piece of a line that looks the same throughout. Text is to become text, never HTML.
type part struct {
	Text  string `json:"t"`
	Class string `json:"c,omitempty"` // classes of static/style.css
	Link  string `json:"h,omitempty"` // an http or https address
}

var (
	// escapes are those of terminals: control sequences, of which "m" sets colours, operating system commands, and short ones.
	escapes = regexp.MustCompile("\x1b(?:\\[([0-9;:?<=>]*)[ -/]*([@-~])|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[PX^_][^\x1b]*(?:\x1b\\\\)?|[ -/]*[0-~]?)")
	links   = regexp.MustCompile(`https?://[^\s<>"'` + "`" + `\\^{}|]+`)
)

// parseLine makes parts of what a build printed. Colours end with the line; whatever else a terminal would do is left out.
func parseLine(text string) []part {
	if len(text) > maxShownLine {
		text = strings.ToValidUTF8(text[:maxShownLine], "") + "…"
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	// What a progress bar overwrote is not shown.
	if at := strings.LastIndexByte(strings.TrimRight(text, "\r"), '\r'); at >= 0 {
		text = text[at+1:]
	}
	parts := []part{}
	var look look
	for {
		found := escapes.FindStringSubmatchIndex(text)
		if found == nil {
			return appendLinks(parts, text, look.class())
		}
		parts = appendLinks(parts, text[:found[0]], look.class())
		if found[4] >= 0 && text[found[4]:found[5]] == "m" {
			look.set(text[found[2]:found[3]])
		}
		text = text[found[1]:]
	}
}

// appendLinks adds a text, and its addresses as parts of their own.
func appendLinks(parts []part, text, class string) []part {
	text = strings.Map(func(r rune) rune {
		if r != '\t' && isTrick(r) {
			return -1
		}
		return r
	}, text)
	for text != "" {
		found := links.FindStringIndex(text)
		if found == nil {
			return append(parts, part{Text: text, Class: class})
		}
		if found[0] > 0 {
			parts = append(parts, part{Text: text[:found[0]], Class: class})
		}
		link := strings.TrimRight(text[found[0]:found[1]], ".,;:!?)]")
		parts = append(parts, part{Text: link, Class: class, Link: link})
		text = text[found[0]+len(link):]
	}
	return parts
}

// look is what colour sequences have set.
type look struct {
	bold, dim, italic, underline bool
	colour                       int // 1 more than the number of one of eight; 0: none
}

// set follows one sequence. Of colours those eight are shown that all terminals have, and their bright ones as them.
func (l *look) set(sequence string) {
	codes := strings.FieldsFunc(sequence+";", func(r rune) bool { return r == ';' || r == ':' })
	if len(codes) == 0 {
		*l = look{}
	}
	for i := 0; i < len(codes); i++ {
		switch n, _ := strconv.Atoi(codes[i]); {
		case n == 0:
			*l = look{}
		case n == 1:
			l.bold = true
		case n == 2:
			l.dim = true
		case n == 3:
			l.italic = true
		case n == 4:
			l.underline = true
		case n == 22:
			l.bold, l.dim = false, false
		case n == 23:
			l.italic = false
		case n == 24:
			l.underline = false
		case n >= 30 && n <= 37:
			l.colour = n - 30 + 1
		case n >= 90 && n <= 97:
			l.colour = n - 90 + 1
		case n == 39:
			l.colour = 0
		case n == 38 || n == 48: // one of many: 5;N or 2;R;G;B follows
			if i+1 < len(codes) && codes[i+1] == "2" {
				i += 4
			} else {
				i += 2
			}
		}
	}
}

func (l look) class() string {
	var classes []string
	for _, of := range []struct {
		name string
		on   bool
	}{{"b", l.bold}, {"d", l.dim}, {"i", l.italic}, {"u", l.underline}, {"c" + strconv.Itoa(l.colour-1), l.colour > 0}} {
		if of.on {
			classes = append(classes, of.name)
		}
	}
	return strings.Join(classes, " ")
}
