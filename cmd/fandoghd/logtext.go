package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/go-hclog"
)

// withoutControl writes control characters, but for line ends and tabs, as \x1b: what strangers sent is part of a log, which is
// shown on terminals.
type withoutControl struct{ w io.Writer }

func isControl(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }

// Write implements io.Writer.
func (w withoutControl) Write(p []byte) (int, error) {
	text := p
	if bytes.ContainsFunc(p, isControl) {
		var b bytes.Buffer
		for _, r := range string(p) {
			if isControl(r) {
				fmt.Fprintf(&b, `\x%02x`, r)
			} else {
				b.WriteRune(r)
			}
		}
		text = b.Bytes()
	}
	if _, err := w.w.Write(text); err != nil {
		return 0, err
	}
	return len(p), nil
}

// oneLine is the audit log's: whatever a user sent, such as a name that is none, begins no line of its own, and makes none that is endless.
type oneLine struct{ hclog.Logger }

// Log logs a line.
func (l oneLine) Log(level hclog.Level, what string, about ...any) {
	l.Logger.Log(level, what, shortLines(about)...)
}

// Info logs a line.
func (l oneLine) Info(what string, about ...any) { l.Log(hclog.Info, what, about...) }

// With returns a logger with more in each of its lines.
func (l oneLine) With(about ...any) hclog.Logger {
	return oneLine{l.Logger.With(shortLines(about)...)}
}

// maxAudited bounds one value in the audit log, in bytes: what a stranger gives as a user's name may be as long as a request.
const maxAudited = 1000

func shortLines(about []any) []any {
	about = slices.Clone(about)
	for i := 1; i < len(about); i += 2 {
		text, ok := about[i].(string)
		if !ok {
			continue
		}
		if len(text) > maxAudited {
			text = strings.ToValidUTF8(text[:maxAudited], "") + "…"
		}
		about[i] = strings.ReplaceAll(text, "\n", `\n`)
	}
	return about
}
