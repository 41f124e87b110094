package language

import (
	"cmp"
	"fmt"
	"strings"
)

// Speaker says a program's texts in one language. Its zero value speaks English.
type Speaker struct {
	Language Language
	Texts    map[string]string // the Persian ones by the English ones, which are formats where they take something; Common are known besides
	// Foreign says an error of another package, false if it is to be said as it is; nil: all are.
	Foreign func(error) (text string, ok bool)
}

// Persian reports whether that is the language.
func (s Speaker) Persian() bool { return s.Language == Persian }

// Text says a text, with what it takes. A text that is not known is said in English. In Persian, numbers have Persian digits, unless they are a
// Plain, and errors are said by Error.
func (s Speaker) Text(english string, args ...any) string {
	text := english
	if s.Persian() {
		text = cmp.Or(s.Texts[english], Common[english], english)
		said := make([]any, len(args))
		for i, arg := range args {
			said[i] = s.say(arg)
		}
		args = said
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(strings.ReplaceAll(text, "%w", "%v"), args...)
}

func (s Speaker) say(arg any) any {
	switch v := arg.(type) {
	case int, int64, int32, uint64, uint32:
		return number{v}
	case error:
		return s.Error(v)
	}
	return arg
}

// number is one that is written with Persian digits.
type number struct{ value any }

// Format implements fmt.Formatter.
func (n number) Format(f fmt.State, verb rune) {
	_, _ = fmt.Fprint(f, Digits(fmt.Sprintf(fmt.FormatString(f, verb), n.value)))
}

// Plain is a number that may be typed back, as an ID is: its digits are those of a keyboard in each language.
type Plain int64

// Error says an error: one of Errorf in the language, also in another that adds nothing to it, and others as Foreign has it.
func (s Speaker) Error(err error) string {
	if !s.Persian() {
		return err.Error()
	}
	if s.Foreign != nil {
		if text, ok := s.Foreign(err); ok {
			return text
		}
	}
	switch e := err.(type) { //nolint:errorlint // each error of the chain has its turn
	case *formatted:
		return s.Text(e.format, e.args...)
	case interface{ Unwrap() []error }:
		var lines []string
		for _, one := range e.Unwrap() {
			lines = append(lines, s.Error(one))
		}
		return strings.Join(lines, "\n")
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil && inner.Error() == err.Error() {
			return s.Error(inner)
		}
	}
	return err.Error()
}

// formatted is an error that can be said in each language.
type formatted struct {
	error  // in English
	format string
	args   []any
}

// Unwrap returns what it wraps.
func (e *formatted) Unwrap() error { return e.error }

// Errorf is fmt.Errorf for an error that a Speaker can say. Its own words are English.
func Errorf(format string, args ...any) error {
	return &formatted{fmt.Errorf(format, args...), format, args}
}
