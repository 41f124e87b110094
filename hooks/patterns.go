package hooks

import (
	"path"
	"strings"
)

// Patterns splits a list as users write it.
func Patterns(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r' })
}

// Matches reports whether a name of a tag or branch fits one of the patterns. As
// on GitHub, * stops at a slash and ** does not.
func Matches(list, name string) bool {
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
