package fandogh_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// declared is what the code has of names that ARCHITECTURE.md may use: "Type.field", "Type.Method", "package.Type",
// "variable" and string literals. locks are the fields that hold one and are not just called mu.
type declared struct {
	names    map[string]bool
	literals map[string]bool
	locks    []string
}

func declarations(t *testing.T) declared {
	t.Helper()
	d := declared{names: map[string]bool{}, literals: map[string]bool{}}
	for _, p := range packages(t) {
		name := filepath.Base(p.ImportPath)
		for _, file := range p.GoFiles {
			parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(n ast.Node) bool { d.see(name, n); return true })
		}
	}
	return d
}

func (d *declared) add(pkg, name string) {
	d.names[name], d.names[pkg+"."+name] = true, true
}

func (d *declared) see(pkg string, n ast.Node) {
	switch n := n.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
			d.literals[text] = true
		}
	case *ast.FuncDecl:
		if n.Recv == nil {
			d.add(pkg, n.Name.Name)
			return
		}
		receiver := n.Recv.List[0].Type
		if pointer, ok := receiver.(*ast.StarExpr); ok {
			receiver = pointer.X
		}
		if typ, ok := receiver.(*ast.Ident); ok {
			d.add(pkg, typ.Name+"."+n.Name.Name)
		}
	case *ast.ValueSpec:
		for _, name := range n.Names {
			d.add(pkg, name.Name)
		}
	case *ast.TypeSpec:
		d.add(pkg, n.Name.Name)
		fields, ok := n.Type.(*ast.StructType)
		if !ok {
			return
		}
		for _, field := range fields.Fields.List {
			for _, name := range field.Names {
				d.add(pkg, n.Name.Name+"."+name.Name)
				if isLock(field.Type) && name.Name != "mu" {
					d.locks = append(d.locks, n.Name.Name+"."+name.Name)
				}
			}
		}
	}
}

// isLock reports whether a type is a mutex or one of our sets of them.
func isLock(typ ast.Expr) bool {
	switch typ := typ.(type) {
	case *ast.Ident:
		return typ.Name == "keyedLock" || typ.Name == "tagLocks"
	case *ast.SelectorExpr:
		return typ.Sel.Name == "Mutex" || typ.Sel.Name == "RWMutex"
	}
	return false
}

// TestArchitectureNamesTheLocks looks for every lock that ARCHITECTURE.md names in the code, and for every lock of the
// code with a name of its own in ARCHITECTURE.md. A file that is locked is found as a literal.
func TestArchitectureNamesTheLocks(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Locks and their order\n")
	if !found {
		t.Fatal("ARCHITECTURE.md has no such section")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	code := declarations(t)
	named, rows := map[string]bool{}, 0
	for line := range strings.SplitSeq(section, "\n") {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| lock |") {
			rows++
			if cell := strings.Split(line, "|")[1]; !strings.Contains(cell, "`") {
				t.Errorf("which lock is%s?", cell)
			}
		}
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(line, -1) {
			name := m[1]
			if _, err := os.Stat(name); err == nil || strings.ContainsAny(name, " ") || strings.HasPrefix(name, "/") {
				continue // a package, a command, or a path of another kind
			}
			named[name], named[name[strings.Index(name, ".")+1:]] = true, true
			file := filepath.Base(name)
			if !code.names[name] && !code.literals[file] && !code.literals[strings.TrimSuffix(file, ".lock")] {
				t.Errorf("the code has no %s", name)
			}
		}
	}
	if rows < 10 {
		t.Errorf("saw only %d rows", rows)
	}
	for _, lock := range code.locks {
		if !named[lock] {
			t.Errorf("ARCHITECTURE.md lacks the lock %s", lock)
		}
	}
}
