package fandogh_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The order of locks is read out of the source. A lock is held from where it is taken to where the same function gives
// it back, at the latest at its end; meanwhile it must be the first of the table of all that is taken, there and in what
// is called, by way of our own interfaces, too. What a function is given to call counts as called under the locks
// that it takes itself. Not seen are calls of functions in fields and variables, and what other goroutines do meanwhile.

// takenBy are the functions that take those locks of the table that are not in a field.
var takenBy = map[string]string{
	"(*gitserver/repository.Repositories).lock": "Repositories.identity",
	"(*gitserver/refs.Files).lock":              "packed-refs.lock",
	"(*catalog/registry.Registry).lockUses":     "uses.lock",
	"(*catalog/sqlite.Store).begin":             "catalog/sqlite",
	"internal/backup.Removing":                  "data/backup.lock",
	"internal/backup.Hold":                      "data/backup.lock",
}

// program is what the source says of locks, by functions' names.
type program struct {
	fset       *token.FileSet
	functions  map[string]*function
	interfaces []*types.Named
	named      []*types.Named // that may implement them
	taken      map[string]map[string]bool
}

type function struct {
	name  string
	locks []held
	calls []call
}

type held struct {
	lock       string // as the table has it, or package.Type.field
	from, till token.Pos
}

type call struct {
	at      token.Pos
	callees []string
	given   []string // functions as arguments
}

func newProgram() *program {
	return &program{fset: token.NewFileSet(), functions: map[string]*function{}}
}

// readProgram reads the daemon.
func readProgram(t *testing.T) *program {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-export", "-json=ImportPath,Export,Dir,GoFiles", "./cmd/fandoghd").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	p := newProgram()
	exports := map[string]string{}
	foreign := importer.ForCompiler(p.fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	own := map[string]*types.Package{}
	find := importing(func(path string) (*types.Package, error) {
		if pkg := own[path]; pkg != nil {
			return pkg, nil
		}
		return foreign.Import(path)
	})
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); { // what is imported comes first
		var listed struct {
			ImportPath, Export, Dir string
			GoFiles                 []string
		}
		if err := d.Decode(&listed); err != nil {
			t.Fatal(err)
		}
		exports[listed.ImportPath] = listed.Export
		if strings.HasPrefix(listed.ImportPath, module) {
			var files []*ast.File
			for _, name := range listed.GoFiles {
				file, err := parser.ParseFile(p.fset, filepath.Join(listed.Dir, name), nil, parser.SkipObjectResolution)
				if err != nil {
					t.Fatal(err)
				}
				files = append(files, file)
			}
			own[listed.ImportPath] = p.add(t, listed.ImportPath, files, find)
		}
	}
	return p
}

type importing func(path string) (*types.Package, error)

func (i importing) Import(path string) (*types.Package, error) { return i(path) }

// add reads a package.
func (p *program) add(t *testing.T, path string, files []*ast.File, find types.Importer) *types.Package {
	t.Helper()
	info := &types.Info{Selections: map[*ast.SelectorExpr]*types.Selection{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	pkg, err := (&types.Config{Importer: find}).Check(path, p.fset, files, info)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range pkg.Scope().Names() {
		if typeName, ok := pkg.Scope().Lookup(name).(*types.TypeName); ok {
			if named, ok := typeName.Type().(*types.Named); ok && types.IsInterface(named) {
				p.interfaces = append(p.interfaces, named)
			} else if ok {
				p.named = append(p.named, named)
			}
		}
	}
	for _, file := range files {
		for _, declared := range file.Decls {
			if f, ok := declared.(*ast.FuncDecl); ok && f.Body != nil {
				(&reader{program: p, info: info}).read(functionName(info.Defs[f.Name].(*types.Func)), f.Body)
			}
		}
	}
	return pkg
}

// functionName is "package.Function" or "(*package.Type).Method".
func functionName(f *types.Func) string { return strings.ReplaceAll(f.Origin().FullName(), module, "") }

// reader reads one function.
type reader struct {
	program *program
	info    *types.Info
	into    *function
	parents []ast.Node
}

func (r *reader) read(name string, body *ast.BlockStmt) {
	r.into = &function{name: name}
	r.program.functions[name] = r.into
	ast.Inspect(body, func(n ast.Node) bool {
		if n == nil {
			r.parents = r.parents[:len(r.parents)-1]
			return true
		}
		if c, ok := n.(*ast.CallExpr); ok {
			r.call(c, body)
		}
		if literal, ok := n.(*ast.FuncLit); ok && r.isElsewhere() {
			(&reader{program: r.program, info: r.info}).read(fmt.Sprintf("%s at %d", name, literal.Pos()), literal.Body)
			return false
		}
		r.parents = append(r.parents, n)
		return true
	})
}

// isElsewhere reports whether a function literal here runs in a goroutine of its own.
func (r *reader) isElsewhere() bool {
	by, ok := r.parents[len(r.parents)-1].(*ast.CallExpr)
	if !ok {
		return false
	}
	if _, ok := r.parents[len(r.parents)-2].(*ast.GoStmt); ok {
		return true
	}
	f := r.callee(by.Fun)
	return f != nil && (f.Name() == "Go" || f.Name() == "AfterFunc")
}

// callee is the function that an expression names, or nil.
func (r *reader) callee(e ast.Expr) *types.Func {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		f, _ := r.info.Uses[e].(*types.Func)
		return f
	case *ast.SelectorExpr:
		f, _ := r.info.Uses[e.Sel].(*types.Func)
		return f
	case *ast.IndexExpr:
		return r.callee(e.X)
	}
	return nil
}

func (r *reader) call(c *ast.CallExpr, body *ast.BlockStmt) {
	if _, ok := r.parents[len(r.parents)-1].(*ast.GoStmt); ok {
		return
	}
	f := r.callee(c.Fun)
	if f == nil {
		return
	}
	if lock := r.lockTaken(c, f); lock != "" {
		r.into.locks = append(r.into.locks, held{lock, c.Pos(), r.till(c, f, lock, body)})
	}
	made := call{at: c.Pos(), callees: r.program.callees(f)}
	for _, argument := range c.Args {
		if given := r.callee(argument); given != nil {
			made.given = append(made.given, r.program.callees(given)...)
		}
	}
	r.into.calls = append(r.into.calls, made)
}

// lockTaken names the lock that a call takes; empty: none.
func (r *reader) lockTaken(c *ast.CallExpr, f *types.Func) string {
	if lock := takenBy[functionName(f)]; lock != "" {
		return lock
	}
	if !slices.Contains([]string{"Lock", "RLock", "TryLock", "lock"}, f.Name()) {
		return ""
	}
	return r.field(c.Fun)
}

// field names the field whose method an expression is.
func (r *reader) field(method ast.Expr) string {
	selector, ok := method.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	of, ok := selector.X.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	selection := r.info.Selections[of]
	if selection == nil || selection.Kind() != types.FieldVal {
		return ""
	}
	owner := selection.Recv()
	if pointer, ok := owner.Underlying().(*types.Pointer); ok {
		owner = pointer.Elem()
	}
	named, ok := owner.(*types.Named)
	if !ok {
		return ""
	}
	return named.Obj().Pkg().Name() + "." + named.Obj().Name() + "." + of.Sel.Name
}

// till is how long a lock is held that a call takes.
func (r *reader) till(c *ast.CallExpr, f *types.Func, lock string, body *ast.BlockStmt) token.Pos {
	unlock := ""
	switch by := r.parents[len(r.parents)-1].(type) {
	case *ast.CallExpr: // X.lock()()
		if _, isStatement := r.parents[len(r.parents)-2].(*ast.ExprStmt); isStatement && by.Fun == c {
			return c.End()
		}
	case *ast.AssignStmt:
		if name, ok := by.Lhs[0].(*ast.Ident); ok && f.Name() != "TryLock" {
			unlock = name.Name
		}
	}
	for _, n := range r.parents {
		if literal, ok := n.(*ast.FuncLit); ok {
			body = literal.Body // the innermost is the last
		}
	}
	till, done := token.NoPos, false
	ast.Inspect(body, func(n ast.Node) bool {
		if _, ok := n.(*ast.DeferStmt); ok || done {
			return false
		}
		other, ok := n.(*ast.CallExpr)
		if !ok || other.Pos() <= c.Pos() {
			return true
		}
		name, isIdent := other.Fun.(*ast.Ident)
		g := r.callee(other.Fun)
		switch {
		case isIdent && name.Name == unlock && unlock != "",
			g != nil && (g.Name() == "Unlock" || g.Name() == "RUnlock") && r.field(other.Fun) == lock:
			till = other.Pos()
		case g != nil && till.IsValid() && r.lockTaken(other, g) == lock:
			done = true
		}
		return true
	})
	if till.IsValid() {
		return till
	}
	return body.End()
}

// callees names a function, and of a method of our interfaces those that may be meant.
func (p *program) callees(f *types.Func) []string {
	all := []string{functionName(f)}
	receiver := f.Type().(*types.Signature).Recv()
	if receiver == nil || !types.IsInterface(receiver.Type()) {
		return all
	}
	return append(all, "interface "+functionName(f))
}

// link gives our interfaces' methods the methods that may be meant, once all packages are read.
func (p *program) link() {
	for _, i := range p.interfaces {
		for method := range i.Underlying().(*types.Interface).Methods() {
			meant := &function{name: functionName(method)}
			for _, n := range p.named {
				if n.TypeParams().Len() > 0 || !types.Implements(types.NewPointer(n), i.Underlying().(*types.Interface)) {
					continue
				}
				if object, _, _ := types.LookupFieldOrMethod(types.NewPointer(n), true, n.Obj().Pkg(), method.Name()); object != nil {
					meant.calls = append(meant.calls, call{callees: []string{functionName(object.(*types.Func))}})
				}
			}
			p.functions["interface "+functionName(method)] = meant
		}
	}
	p.taken = map[string]map[string]bool{}
	for isChanged := true; isChanged; {
		isChanged = false
		for name, f := range p.functions {
			all := map[string]bool{}
			for _, l := range f.locks {
				all[l.lock] = true
			}
			for _, c := range f.calls {
				for _, callee := range slices.Concat(c.callees, c.given) {
					maps.Copy(all, p.taken[callee])
				}
			}
			isChanged = isChanged || len(all) > len(p.taken[name])
			p.taken[name] = all
		}
	}
}

// isRow reports whether a row of the table is about a lock.
func isRow(lock, row string) bool { return lock == row || strings.HasSuffix(lock, "."+row) }

// inversions tells where the order is violated. It is given the locks, the outermost first.
func (p *program) inversions(order []string) (found []string) {
	p.link()
	rank := func(lock string) int {
		return slices.IndexFunc(order, func(row string) bool { return isRow(lock, row) })
	}
	check := func(f *function, at token.Pos, outer, inner, by string) {
		o, i := rank(outer), rank(inner)
		if o >= 0 && i >= 0 && i <= o {
			position := p.fset.Position(at)
			found = append(found, fmt.Sprintf("%s:%d: %s holds %s and takes %s%s", filepath.Base(position.Filename), position.Line, f.name, outer, inner, by))
		}
	}
	for _, f := range p.functions {
		for _, l := range f.locks {
			for _, other := range f.locks {
				if other.from > l.from && other.from < l.till {
					check(f, other.from, l.lock, other.lock, "")
				}
			}
			for _, c := range f.calls {
				if c.at <= l.from || c.at >= l.till {
					continue
				}
				for _, callee := range slices.Concat(c.callees, c.given) {
					for inner := range p.taken[callee] {
						check(f, c.at, l.lock, inner, " by "+callee)
					}
				}
			}
		}
		for _, c := range f.calls {
			for _, callee := range c.callees {
				for _, l := range p.functionLocks(callee) {
					for _, given := range c.given {
						for inner := range p.taken[given] {
							check(f, c.at, l.lock, inner, " by "+given+", given to "+callee)
						}
					}
				}
			}
		}
	}
	slices.SortFunc(found, cmp.Compare[string])
	return slices.Compact(found)
}

func (p *program) functionLocks(name string) []held {
	if f := p.functions[name]; f != nil {
		return f.locks
	}
	return nil
}
