package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/requests"
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

// oneLine is the audit log's: whatever a user sent, such as a name that is none, begins no line of its own and is not written at any length, and
// who guesses fills no disk with lines about that.
type oneLine struct {
	hclog.Logger
	failures *requests.Lines
	from     string // as With was told
}

// Log logs a line.
func (l oneLine) Log(level hclog.Level, what string, about ...any) {
	if what == catalog.LoginFailed {
		left, ok := l.failures.Allow(cmp.Or(fromOf(about), l.from), time.Now())
		if !ok {
			return
		}
		if left > 0 {
			about = append(slices.Clone(about), "not_logged", left)
		}
	}
	l.Logger.Log(level, what, shown(about)...)
}

// Info logs a line.
func (l oneLine) Info(what string, about ...any) { l.Log(hclog.Info, what, about...) }

// With returns a logger with more in each of its lines.
func (l oneLine) With(about ...any) hclog.Logger {
	return oneLine{l.Logger.With(shown(about)...), l.failures, cmp.Or(fromOf(about), l.from)}
}

// fromOf is whom a line is about.
func fromOf(about []any) string {
	for i := 1; i < len(about); i += 2 {
		if about[i-1] == "from" {
			return fmt.Sprint(about[i])
		}
	}
	return ""
}

// shown are a line's keys and values as they are written.
func shown(about []any) []any {
	about = slices.Clone(about)
	for i := 1; i < len(about); i += 2 {
		if text, ok := about[i].(string); ok {
			about[i] = strings.ReplaceAll(requests.Shortened(text), "\n", `\n`)
		}
	}
	return about
}
