package repository

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
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
	macros map[string][]attributeSetting // of the topmost file, which alone may have some
	total  int
}

type attributeRule struct {
	pattern  *regexp.Regexp
	wholeSub bool // matched against the path below prefix, not the last part
	dirOnly  bool
	settings []attributeSetting
}

// attributeSetting gives an attribute a value: "set", "unset", "unspecified", or one
// behind "=".
type attributeSetting struct{ name, value string }

const (
	blanks     = " \t\r\n" // between the parts of a line, to git
	setByName  = "set"
	macroStart = "[attr]"
	// maxAttributesLine is from how many bytes on git passes over a line.
	maxAttributesLine = 2048
)

// with returns the rules that hold in a directory whose file has data.
// Lines git would warn about are passed over, as git does.
func (a *attributeRules) with(prefix string, data []byte) *attributeRules {
	next := &attributeRules{above: a, prefix: prefix, macros: map[string][]attributeSetting{}}
	if a != nil {
		next.total, next.macros = a.total, a.macros
	}
	text := strings.TrimPrefix(string(data), "\xef\xbb\xbf")
	if prefix == "" { // a macro holds above the line that makes it, too
		for line := range strings.Lines(text) {
			if name, settings, ok := splitAttributes(line); ok && isMacro(name) {
				if name = firstWord(name[len(macroStart):]); isAttributeName(name) {
					next.macros[name] = settings
				}
			}
		}
	}
	for line := range strings.Lines(text) {
		if next.total >= maxAttributesRules {
			break
		}
		pattern, settings, ok := splitAttributes(line)
		if !ok || isMacro(pattern) {
			continue
		}
		if rule, ok := newAttributeRule(pattern, next.relevant(settings)); ok {
			next.rules = append(next.rules, rule)
			next.total++
		}
	}
	return next
}

func isMacro(pattern string) bool {
	return len(pattern) > len(macroStart) && strings.HasPrefix(pattern, macroStart)
}

func firstWord(text string) string {
	text = strings.TrimLeft(text, blanks)
	if i := strings.IndexAny(text, blanks); i >= 0 {
		return text[:i]
	}
	return text
}

// splitAttributes takes a line apart; a pattern with blanks is quoted. A line with a
// setting that is none says nothing.
func splitAttributes(line string) (pattern string, settings []attributeSetting, ok bool) {
	line = strings.TrimLeft(strings.TrimSuffix(line, "\n"), blanks)
	if line == "" || line[0] == '#' || len(line) >= maxAttributesLine {
		return "", nil, false
	}
	pattern, rest, ok := unquote(line)
	if !ok {
		pattern = firstWord(line)
		rest = line[len(pattern):]
	}
	if isMacro(pattern) && len(pattern) == len(macroStart) {
		return "", nil, false
	}
	for _, word := range strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune(blanks, r) }) {
		name, value, hasValue := strings.Cut(word, "=")
		s := attributeSetting{name, setByName}
		switch {
		case name != "" && name[0] == '-':
			s = attributeSetting{name[1:], "unset"}
		case name != "" && name[0] == '!':
			s = attributeSetting{name[1:], "unspecified"}
		case hasValue:
			s.value = "=" + value
		}
		if !isAttributeName(s.name) {
			return "", nil, false
		}
		settings = append(settings, s)
	}
	return pattern, settings, true
}

var attributeName = regexp.MustCompile(`\A[A-Za-z0-9._][-A-Za-z0-9._]*\z`)

func isAttributeName(name string) bool {
	return attributeName.MatchString(name) && !strings.HasPrefix(name, "builtin_")
}

// unquote reads a pattern in the quotes of C, and returns what follows it.
func unquote(line string) (pattern, rest string, ok bool) {
	if line[0] != '"' {
		return "", "", false
	}
	var text []byte
	for i := 1; i < len(line); i++ {
		c := line[i]
		if c == '"' {
			return string(text), line[i+1:], true
		}
		if c == '\\' {
			if i++; i == len(line) {
				return "", "", false
			}
			c = line[i]
			at := strings.IndexByte("abfnrtv", c)
			switch {
			case at >= 0:
				c = "\a\b\f\n\r\t\v"[at]
			case c == '\\' || c == '"':
			case c >= '0' && c <= '3' && i+2 < len(line):
				n, err := strconv.ParseUint(line[i:i+3], 8, 8)
				if err != nil {
					return "", "", false
				}
				c, i = byte(n), i+2
			default:
				return "", "", false
			}
		}
		text = append(text, c)
	}
	return "", "", false
}

// relevant leaves out what says nothing about our attributes.
func (a *attributeRules) relevant(settings []attributeSetting) (ours []attributeSetting) {
	for _, s := range settings {
		if _, ok := a.macros[s.name]; ok || s.name == "export-ignore" || s.name == "filter" {
			ours = append(ours, s)
		}
	}
	return ours
}

func newAttributeRule(pattern string, settings []attributeSetting) (attributeRule, bool) {
	if len(settings) == 0 || strings.HasPrefix(pattern, "!") {
		return attributeRule{}, false
	}
	rule := attributeRule{settings: settings}
	if rule.dirOnly = strings.HasSuffix(pattern, "/"); rule.dirOnly {
		pattern = strings.TrimSuffix(pattern, "/")
	}
	rule.wholeSub = strings.Contains(pattern, "/")
	expr, err := regexp.Compile(globExpression(strings.TrimPrefix(pattern, "/")))
	rule.pattern = expr
	return rule, err == nil && pattern != ""
}

// never matches nothing.
const never = `\z.`

// globExpression turns git's wildmatch into a regular expression: * and ? stop
// at slashes, ** spans directories.
func globExpression(glob string) string {
	var e strings.Builder
	e.WriteString(`(?s)\A`)
	// To git a pattern begins behind what it has of plain text.
	begin := strings.IndexAny(glob, `*?[\`)
	for i := 0; i < len(glob); {
		rest := glob[i:]
		switch {
		case rest[0] == '*':
			stars := len(rest) - len(strings.TrimLeft(rest, "*"))
			atStart := i == begin || i > 0 && glob[i-1] == '/'
			behind := rest[stars:]
			i += stars
			switch {
			case stars == 1 || !atStart || behind != "" && behind[0] != '/' && !strings.HasPrefix(behind, `\/`):
				e.WriteString(`[^/]*`)
			case behind != "" && behind[0] == '/':
				e.WriteString(`(?:.*/)?`)
				i++
			default:
				e.WriteString(`.*`)
			}
		case rest[0] == '?':
			e.WriteString(`[^/]`)
			i++
		case rest[0] == '[':
			class, n := globClass(rest)
			e.WriteString(class)
			i += n
		case rest == `\`:
			e.WriteString(never)
			i++
		case rest[0] == '\\':
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

// namedClasses are those that a bracket expression may name, as pairs of the first and last byte.
var namedClasses = map[string]string{
	"alnum": "09AZaz", "alpha": "AZaz", "blank": "\t\t  ", "cntrl": "\x00\x1f\x7f\x7f", "digit": "09", "graph": "!~", "lower": "az",
	"print": " ~", "punct": "!/:@[`{~", "space": "\t\n\r\r  ", "upper": "AZ", "xdigit": "09AFaf",
}

// globClass translates a bracket expression; one without end matches nothing, and none a slash.
func globClass(glob string) (expr string, n int) {
	i := 1
	negate := i < len(glob) && (glob[i] == '!' || glob[i] == '^')
	if negate {
		i++
	}
	var body strings.Builder
	add := func(low, high byte) {
		if low <= '/' && '/' <= high { // which no class matches
			if low < '/' {
				fmt.Fprintf(&body, `\x{%x}-\x{%x}`, low, '/'-1)
			}
			low = '/' + 1
		}
		if low <= high {
			fmt.Fprintf(&body, `\x{%x}-\x{%x}`, low, high)
		}
	}
	var before byte // that a range may begin with
	for first := true; i < len(glob) && (glob[i] != ']' || first); first = false {
		c := glob[i]
		switch {
		case c == '-' && before != 0 && i+1 < len(glob) && glob[i+1] != ']':
			if i++; glob[i] == '\\' {
				i++
			}
			if i < len(glob) {
				add(before, glob[i])
			}
			c = 0
		case c == '[' && i+1 < len(glob) && glob[i+1] == ':':
			end := strings.IndexByte(glob[i+2:], ']')
			if end < 0 {
				return never, len(glob)
			}
			name, isNamed := strings.CutSuffix(glob[i+2:i+2+end], ":")
			if !isNamed {
				add(c, c)
				break
			}
			pairs, known := namedClasses[name]
			if !known {
				return never, len(glob)
			}
			for k := 0; k < len(pairs); k += 2 {
				add(pairs[k], pairs[k+1])
			}
			i, c = i+2+end, 0
		default:
			if c == '\\' {
				if i++; i == len(glob) {
					return never, i
				}
				c = glob[i]
			}
			add(c, c)
		}
		before = c
		i++
	}
	switch {
	case i >= len(glob):
		return never, len(glob)
	case negate:
		return "[^/" + body.String() + "]", i + 1
	case body.Len() == 0:
		return never, i + 1
	}
	return "[" + body.String() + "]", i + 1
}

// of returns the attributes of a path; later rules and deeper files win.
func (a *attributeRules) of(name string, isDir bool) attributes {
	var values map[string]string
	for ; a != nil; a = a.above {
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
			if values == nil {
				values = map[string]string{}
			}
			a.apply(rule.settings, values)
		}
	}
	return attributes{exportIgnore: values["export-ignore"] == setByName, lfs: values["filter"] == "=lfs"}
}

// apply gives attributes that have no value yet those that were set last. What sets a macro sets what it stands for.
func (a *attributeRules) apply(settings []attributeSetting, values map[string]string) {
	for _, s := range slices.Backward(settings) {
		if _, known := values[s.name]; known {
			continue
		}
		values[s.name] = s.value
		if s.value == setByName {
			a.apply(a.macros[s.name], values)
		}
	}
}
