// Package langtest holds a package to its Persian texts, in tests.
package langtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/fandoghpaas/fandogh/internal/language"
)

// Literals returns the texts that a package says by the given functions, whose names have the number of the argument that is the text;
// -1 for all arguments. What is no constant is left out.
func Literals(t *testing.T, dir string, functions map[string]int) (texts map[string]bool) {
	t.Helper()
	texts = map[string]bool{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	constants := map[string]ast.Expr{}
	var files []*ast.File
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), dir+"/"+entry.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Names) == len(spec.Values) {
				for i, name := range spec.Names {
					constants[name.Name] = spec.Values[i]
				}
			}
			return true
		})
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				for _, text := range saidBy(call, functions, constants) {
					texts[text] = true
				}
			}
			return true
		})
	}
	return texts
}

func saidBy(call *ast.CallExpr, functions map[string]int, constants map[string]ast.Expr) (texts []string) {
	name := ""
	switch f := call.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
	}
	which, ok := functions[name]
	if !ok {
		return nil
	}
	args := call.Args
	if which >= 0 {
		args = args[min(which, len(args)):min(which+1, len(args))]
	}
	for _, arg := range args {
		if text, ok := constant(arg, constants); ok && strings.ContainsFunc(withoutVerbs(text), unicode.IsLetter) {
			texts = append(texts, text)
		}
	}
	return texts
}

// constant evaluates string literals, constants of the package and their sums.
func constant(e ast.Expr, constants map[string]ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.Ident:
		if value, ok := constants[e.Name]; ok {
			return constant(value, constants)
		}
	case *ast.BinaryExpr:
		x, okX := constant(e.X, constants)
		y, okY := constant(e.Y, constants)
		return x + y, okX && okY && e.Op == token.ADD
	}
	return "", false
}

var verb = regexp.MustCompile(`%(\[\d+\])?[-+# 0-9.]*[a-zA-Z]`)

func withoutVerbs(text string) string { return verb.ReplaceAllString(text, "") }

// verbs returns those of a format in the order of what it takes.
func verbs(format string) []string {
	var found []string
	for _, m := range verb.FindAllStringSubmatch(strings.ReplaceAll(format, "%%", ""), -1) {
		if m[1] == "" {
			found = append(found, m[0])
			continue
		}
		i, _ := strconv.Atoi(strings.Trim(m[1], "[]"))
		for len(found) < i {
			found = append(found, "")
		}
		found[i-1] = strings.Replace(m[0], m[1], "", 1)
	}
	return found
}

// Compare finds texts that are said and have no Persian one, Persian ones of what is not said, those that take other things than the English
// text, and those that are written with letters or digits of Arabic.
func Compare(t *testing.T, said map[string]bool, persian map[string]string) {
	t.Helper()
	for english := range said {
		if strings.ContainsFunc(english, unicode.IsLetter) && persian[english] == "" && language.Common[english] == "" {
			t.Errorf("there is no Persian for %q", english)
		}
	}
	for english, text := range persian {
		switch {
		case !said[english]:
			t.Errorf("nothing says %q", english)
		case language.Common[english] != "":
			t.Errorf("%q is among the common texts", english)
		case !slices.Equal(verbs(english), verbs(text)):
			t.Errorf("%q takes %v, and in Persian %v", english, verbs(english), verbs(text))
		case strings.ContainsAny(text, "يك٪"):
			t.Errorf("this has letters of Arabic: %s", text)
		case Backquoted(english) != Backquoted(text):
			t.Errorf("%q names %s, and in Persian %s", english, Backquoted(english), Backquoted(text))
		}
		if latin := beginsLatin(text); latin {
			t.Errorf("this begins with no Persian word, so that terminals take it for a text from left to right: %s", text)
		}
	}
}

// Backquoted returns what is named between backquotes, which is what a user types.
func Backquoted(text string) string {
	var all []string
	for i, part := range strings.Split(text, "`") {
		if i%2 == 1 {
			all = append(all, part)
		}
	}
	slices.Sort(all)
	return strings.Join(all, "|")
}

// beginsLatin reports whether the first letter of a text of several words is not a Persian one.
func beginsLatin(text string) bool {
	first := strings.IndexFunc(text, unicode.IsLetter)
	v := verb.FindStringIndex(text)
	if v != nil && v[0] < first {
		return true
	}
	for _, r := range text {
		if unicode.IsLetter(r) {
			return !unicode.Is(unicode.Arabic, r)
		}
	}
	return false
}
