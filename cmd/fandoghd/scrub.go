package main

import (
	"regexp"
	"strings"
)

// scrubber takes secrets out of text that is shown to others.
type scrubber struct{ known *strings.Replacer }

// leastSecret is from how many characters on a secret is looked for: what is shorter is also part of other words.
const leastSecret = 8

// newScrubber knows some secrets beside those that are told by their form.
func newScrubber(secrets []string) scrubber {
	var pairs []string
	for _, s := range secrets {
		if s = strings.TrimSpace(s); len(s) >= leastSecret {
			pairs = append(pairs, s, "(hidden)")
		}
	}
	return scrubber{strings.NewReplacer(pairs...)}
}

// forms are what secrets look like, with what stays of them.
var forms = []struct {
	form *regexp.Regexp
	left string
}{
	{regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----.*?(-----END [A-Z ]*PRIVATE KEY( BLOCK)?-----|\z)`), "(hidden)"},
	{regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^/@\s"'<>]+@`), "$1(hidden)@"},
	{regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^\s"'?]*)\?[^\s"']+`), "$1?(hidden)"},
	{regexp.MustCompile(`(?i)(authorization\\?["']?\s*[:=]\s*\\?["']?(?:(?:basic|bearer|token)\s+)?)[^\s"',;\\]+`), "$1(hidden)"},
	{regexp.MustCompile(`(?i)((?:password|passwd|secret|token|api[_-]?key)\\?["']?\s*[:=]\s*\\?["']?)[^\s"',;&\\]+`), "$1(hidden)"},
	{regexp.MustCompile(`(build-arg\\?["']?\s*[:=]\s*\\?["']?[A-Za-z_][A-Za-z0-9_]*=)[^"'\]\\\n]+`), "$1(hidden)"},
	{regexp.MustCompile(`\b(fdg_|gh[pousr]_|github_pat_|glpat-)[A-Za-z0-9_-]{10,}`), "$1(hidden)"},
}

// text returns what may be shown of a text.
func (s scrubber) text(text string) string {
	text = s.known.Replace(text)
	for _, f := range forms {
		text = f.form.ReplaceAllString(text, f.left)
	}
	return text
}
