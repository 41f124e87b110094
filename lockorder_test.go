package fandogh_test

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// lockOrder is the table of ARCHITECTURE.md.
func lockOrder(t *testing.T) (order []string) {
	t.Helper()
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Locks and their order\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for line := range strings.SplitSeq(section, "\n") {
		if cells := strings.Split(line, "|"); len(cells) > 3 && strings.Contains(cells[1], "`") {
			order = append(order, strings.Split(cells[1], "`")[1])
		}
	}
	return order
}

func TestLocksAreTakenInOrder(t *testing.T) {
	p, order := readProgram(t), lockOrder(t)
	for _, fault := range p.inversions(order) {
		t.Error(fault)
	}
	seen := map[string]bool{}
	for _, f := range p.functions {
		for _, l := range f.locks {
			seen[l.lock] = true
		}
	}
	for _, row := range order {
		// Those that are held for the life of what holds them, or while the database is opened, are taken before all others.
		isSeen := slices.Contains([]string{"data/lock", "/run", "fandogh.db.lock"}, row)
		for lock := range seen {
			isSeen = isSeen || isRow(lock, row)
		}
		if !isSeen {
			t.Errorf("nothing is seen to take %s", row)
		}
	}
}

// What is planted is found, and nothing else.
func TestInversionsAreFound(t *testing.T) {
	p := newProgram()
	file, err := parser.ParseFile(p.fset, "testdata/lockorder/planted.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	p.add(t, "planted", []*ast.File{file}, importer.ForCompiler(p.fset, "source", nil))
	var found []string
	for _, fault := range p.inversions([]string{"house.outer", "house.rows", "files.inner"}) {
		_, what, _ := strings.Cut(fault, ": ") // without the line
		found = append(found, strings.ReplaceAll(what, "planted.", ""))
	}
	testkit.Same(t, "inversions", found, []string{
		"(*house).oneAfterTheOther holds house.rows and takes house.outer",
		"(*house).byCalls holds house.rows and takes house.outer by (*house).deep",
		"(*house).again holds house.outer and takes house.outer by (*house).deep, given to (*house).under",
		"(*house).byInterface holds files.inner and takes house.rows by interface (Log).Note",
	})
}
