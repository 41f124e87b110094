package catalog

import (
	"path"
	"strings"
	"unicode"
)

// Patterns splits a list of patterns as users write it, with blanks or commas between them.
func Patterns(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r' })
}

// maxPatterns bounds a list of patterns, in bytes.
const maxPatterns = 1024

// CheckPatterns returns a list of patterns for names of tags or branches, one blank
// between them. Errors: Invalid.
func CheckPatterns(field, list string) (string, error) {
	split := Patterns(list)
	if len(list) > maxPatterns {
		return "", FieldErrorf(field, "the %s are longer than %d characters", field, maxPatterns)
	}
	for _, p := range split {
		if strings.ContainsFunc(p, unicode.IsControl) {
			return "", FieldErrorf(field, "%s pattern %q contains a control character", field, p)
		}
		if _, err := path.Match(p, ""); err != nil {
			return "", FieldErrorf(field, "%s pattern %q has an open bracket", field, p)
		}
	}
	return strings.Join(split, " "), nil
}

// MatchPatterns reports whether a name of a tag or branch fits one of the patterns. As
// on GitHub, * stops at a slash and ** does not.
func MatchPatterns(list, name string) bool {
	for _, p := range Patterns(list) {
		if ok, err := path.Match(p, name); ok && err == nil {
			return true
		}
		if before, ok := strings.CutSuffix(p, "**"); ok && strings.HasPrefix(name, before) {
			return true
		}
	}
	return false
}
