package gitserver

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	maxAttributesFile  = 1 << 20
	maxAttributesRules = 10000
)

// attributes are those of git's attributes that decide what is built.
type attributes struct {
	exportIgnore bool
	lfs          bool // filter=lfs
}

// attributeRules are the rules of one .gitattributes file with those of the
// directories above it. A nil *attributeRules has no rules.
type attributeRules struct {
	above  *attributeRules
	prefix string // the file's directory, "" or with a slash at the end
	rules  []attributeRule
	macros map[string][]string
	total  int
}

type attributeRule struct {
	pattern  *regexp.Regexp
	wholeSub bool // matched against the path below prefix, not the last part
	dirOnly  bool
	settings []string // "export-ignore", "-export-ignore", "filter=lfs", …
}

// with returns the rules that hold in a directory whose file has data.
// Lines git would warn about are passed over, as git does.
func (a *attributeRules) with(prefix string, data []byte) *attributeRules {
	next := &attributeRules{above: a, prefix: prefix, macros: map[string][]string{}}
	if a != nil {
		next.total = a.total
		for name, settings := range a.macros {
			next.macros[name] = settings
		}
	}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || next.total >= maxAttributesRules {
			continue
		}
		pattern, settings := splitAttributes(line)
		if name, ok := strings.CutPrefix(pattern, "[attr]"); ok {
			if prefix == "" {
				next.macros[name] = settings
			}
			continue
		}
		if rule, ok := newAttributeRule(pattern, next.expand(settings)); ok {
			next.rules = append(next.rules, rule)
			next.total++
		}
	}
	return next
}

// splitAttributes takes a line apart; a pattern with blanks is quoted.
func splitAttributes(line string) (pattern string, settings []string) {
	if line[0] == '"' {
		var text strings.Builder
		for i := 1; i < len(line); i++ {
			switch c := line[i]; {
			case c == '\\' && i+1 < len(line):
				i++
				text.WriteByte(line[i])
			case c == '"':
				return text.String(), strings.Fields(line[i+1:])
			default:
				text.WriteByte(c)
			}
		}
	}
	fields := strings.Fields(line)
	return fields[0], fields[1:]
}

func (a *attributeRules) expand(settings []string) []string {
	var all []string
	for _, s := range settings {
		all = append(all, s)
		if macro, ok := a.macros[s]; ok {
			all = append(all, macro...)
		}
	}
	return all
}

// newAttributeRule drops rules that say nothing about our attributes.
func newAttributeRule(pattern string, settings []string) (attributeRule, bool) {
	var ours []string
	for _, s := range settings {
		name, _, _ := strings.Cut(strings.TrimLeft(s, "-!"), "=")
		if name == "export-ignore" || name == "filter" {
			ours = append(ours, s)
		}
	}
	if len(ours) == 0 || strings.HasPrefix(pattern, "!") {
		return attributeRule{}, false
	}
	rule := attributeRule{settings: ours}
	if rule.dirOnly = strings.HasSuffix(pattern, "/"); rule.dirOnly {
		pattern = strings.TrimSuffix(pattern, "/")
	}
	rule.wholeSub = strings.Contains(pattern, "/")
	expr, err := regexp.Compile(globExpression(strings.TrimPrefix(pattern, "/")))
	rule.pattern = expr
	return rule, err == nil && pattern != ""
}

// globExpression turns git's wildmatch into a regular expression: * and ? stop
// at slashes, ** spans directories.
func globExpression(glob string) string {
	var e strings.Builder
	e.WriteString(`(?s)\A`)
	for i := 0; i < len(glob); {
		rest := glob[i:]
		atStart := i == 0 || glob[i-1] == '/'
		switch {
		case atStart && strings.HasPrefix(rest, "**/"):
			e.WriteString(`(?:.*/)?`)
			i += 3
		case atStart && rest == "**":
			e.WriteString(`.*`)
			i += 2
		case rest[0] == '*':
			e.WriteString(`[^/]*`)
			for i++; i < len(glob) && glob[i] == '*'; i++ {
			}
		case rest[0] == '?':
			e.WriteString(`[^/]`)
			i++
		case rest[0] == '[':
			class, n := globClass(rest)
			e.WriteString(class)
			i += n
		case rest[0] == '\\' && len(rest) > 1:
			e.WriteString(regexp.QuoteMeta(widen(rest[1:2])))
			i += 2
		default:
			e.WriteString(regexp.QuoteMeta(widen(rest[:1])))
			i++
		}
	}
	e.WriteString(`\z`)
	return e.String()
}

// widen makes a character of every byte, because git's patterns match bytes
// and regular expressions match characters.
func widen(s string) string {
	ascii := true
	for i := range len(s) {
		ascii = ascii && s[i] < utf8.RuneSelf
	}
	if ascii {
		return s
	}
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

// globClass translates a bracket expression; one without end is a plain "[".
func globClass(glob string) (expr string, n int) {
	i := 1
	negate := i < len(glob) && (glob[i] == '!' || glob[i] == '^')
	if negate {
		i++
	}
	begin := i
	for i < len(glob) && (glob[i] != ']' || i == begin) {
		if strings.HasPrefix(glob[i:], "[:") {
			if end := strings.Index(glob[i:], ":]"); end > 0 {
				i += end + 1
			}
		} else if glob[i] == '\\' {
			i++
		}
		i++
	}
	if i >= len(glob) {
		return `\[`, 1
	}
	body := widen(glob[begin:i])
	if body[0] == ']' {
		body = `\` + body
	}
	if negate {
		return "[^/" + body + "]", i + 1
	}
	return "[" + body + "]", i + 1
}

// of returns the attributes of a path; later rules and deeper files win.
func (a *attributeRules) of(name string, isDir bool) attributes {
	var exportIgnore, filter string
	for ; a != nil && (exportIgnore == "" || filter == ""); a = a.above {
		sub := strings.TrimPrefix(name, a.prefix)
		base := sub[strings.LastIndexByte(sub, '/')+1:]
		for i := len(a.rules) - 1; i >= 0; i-- {
			rule := &a.rules[i]
			subject := base
			if rule.wholeSub {
				subject = sub
			}
			if rule.dirOnly && !isDir || !rule.pattern.MatchString(widen(subject)) {
				continue
			}
			for j := len(rule.settings) - 1; j >= 0; j-- {
				setting := rule.settings[j]
				if strings.Contains(setting, "filter") {
					if filter == "" {
						filter = setting
					}
				} else if exportIgnore == "" {
					exportIgnore = setting
				}
			}
		}
	}
	return attributes{exportIgnore: exportIgnore == "export-ignore", lfs: filter == "filter=lfs"}
}
