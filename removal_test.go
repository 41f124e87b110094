package fandogh_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// afterRows are the calls that may follow the deletion of an image's or a version's rows: what
// was its name may be another's by then, so its files are the remover's alone, by the
// catalog.Removal that the rows left.
var afterRows = []string{"c.audit", "c.server.config.Remover.Remove", "context.WithoutCancel", "c.r.Context", "c.deleted", "c.done", "a.did"}

func TestNoNameIsUsedAfterItsRowsAreGone(t *testing.T) {
	var names []string
	for _, p := range packages(t) {
		for _, name := range p.GoFiles {
			names = append(names, filepath.Join(p.Dir, name))
		}
	}
	deletions := 0
	files := token.NewFileSet()
	for _, name := range names {
		if filepath.Base(filepath.Dir(name)) == "storetest" {
			continue
		}
		file, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range file.Decls {
			f, ok := f.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			found, wrong := callsAfterRows(f.Body)
			deletions += found
			for _, call := range wrong {
				t.Errorf("%s: %s is called after rows were deleted; what is left of them is for the remover", files.Position(call.Pos()), nameOf(call.Fun))
			}
		}
	}
	if deletions == 0 {
		t.Error("nothing deletes rows; does this test still know how they are deleted?")
	}
}

func TestCallsAfterRows(t *testing.T) {
	for body, want := range map[string]int{
		`c.server.config.Store.DeleteImage(c.r.Context(), image.ID); c.server.config.Remover.Remove(ctx)`: 0,
		`if err := c.Store.DeleteImage(ctx, image.ID); err != nil { return err }; c.repos.Delete(image)`:  1,
		`c.repos.Delete(image); s.store.DeleteVersion(ctx, version.ID)`:                                   0,
		`defer c.repos.Delete(image); s.store.DeleteVersion(ctx, version.ID)`:                             1,
		`s.store.DeleteVersion(ctx, version.ID); go func() { for { logs.Remove(name) } }()`:               2,
		`c.registry.DeleteImage(image.Ref); c.repos.Delete(image)`:                                        0,
		`errors.Join(c.Store.DeleteImage(ctx, image.ID), c.registry.DeleteImage(image.Ref))`:              1,
		`for _, image := range all { c.repos.Delete(image.Ref); _ = c.Store.DeleteImage(ctx, image.ID) }`: 1,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc f() {"+body+"}", parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if _, wrong := callsAfterRows(file.Decls[0].(*ast.FuncDecl).Body); len(wrong) != want {
			t.Errorf("%s: %d calls are wrong, want %d", body, len(wrong), want)
		}
	}
}

// callsAfterRows returns how many calls of a body delete rows, and which of those that may run after
// one are not allowed.
func callsAfterRows(body ast.Node) (deletions int, wrong []*ast.CallExpr) {
	var from token.Pos // what runs after the first deletion begins here
	var loops []ast.Node
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ForStmt, *ast.RangeStmt:
			loops = append(loops, n)
		case *ast.CallExpr:
			if !deletesRows(n) {
				break
			}
			if deletions++; deletions == 1 {
				from = n.End()
			}
			for _, loop := range loops {
				if loop.Pos() < n.Pos() && n.End() <= loop.End() {
					from = min(from, loop.Pos())
				}
			}
		}
		return true
	})
	if deletions == 0 {
		return 0, nil
	}
	deferred := map[*ast.CallExpr]bool{}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.DeferStmt:
			deferred[n.Call] = true
		case *ast.CallExpr:
			if (n.Pos() >= from || deferred[n]) && !deletesRows(n) && !slices.Contains(afterRows, nameOf(n.Fun)) {
				wrong = append(wrong, n)
			}
		}
		return true
	})
	return deletions, wrong
}

// deletesRows tells a store's deletions from those of the files' keepers.
func deletesRows(call *ast.CallExpr) bool {
	of, method, _ := cutLast(nameOf(call.Fun))
	_, store, _ := cutLast(of)
	return (method == "DeleteImage" || method == "DeleteVersion") && strings.EqualFold(store, "store")
}

func cutLast(name string) (before, after string, found bool) {
	if i := strings.LastIndex(name, "."); i >= 0 {
		return name[:i], name[i+1:], true
	}
	return "", name, false
}

// nameOf is how the code names what it calls.
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return nameOf(e.X) + "." + e.Sel.Name
	case *ast.CallExpr:
		return nameOf(e.Fun) + "()"
	}
	return "an expression"
}
