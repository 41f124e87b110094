// Package language says what people read in English and in Persian: which of the two they want, their texts, and how numbers, dates and tables
// are written in each. English is what a program is written in; a Persian text is found by the English one. What machines read, and what may be
// typed back to a program, is the same in both and does not come here.
package language

import (
	"cmp"
	"strings"
)

// Language is a language of what people read, as BCP 47 writes it.
type Language string

// The languages.
const (
	English Language = "en"
	Persian Language = "fa"
)

// Codes are the languages, as --lang takes them.
func Codes() []string { return []string{string(English), string(Persian)} }

// Parse reads a language as Codes lists it. ok is false for all else, with English.
func Parse(code string) (l Language, ok bool) {
	switch l := Language(code); l {
	case English, Persian:
		return l, true
	}
	return English, false
}

// OfLocale is the language of messages by what a system's locale is set to, as POSIX has it: LC_ALL, else LC_MESSAGES, else LANG. What is no
// language of ours is English, and so is a locale whose characters are not UTF-8.
func OfLocale(getenv func(string) string) Language {
	locale := cmp.Or(getenv("LC_ALL"), getenv("LC_MESSAGES"), getenv("LANG"))
	locale, _, _ = strings.Cut(locale, "@")
	name, characters, named := strings.Cut(locale, ".")
	if named && !strings.EqualFold(strings.ReplaceAll(characters, "-", ""), "utf8") {
		return English
	}
	code, _, _ := strings.Cut(name, "_")
	l, _ := Parse(strings.ToLower(code))
	return l
}
