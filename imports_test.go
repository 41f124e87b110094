package fandogh_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/fandoghpaas/fandogh/"

// allowed says which of our own packages each package may import. A package
// that is not listed fails the test, so that a new one gets its rule.
// "…/*" stands for everything below.
var allowed = map[string][]string{
	"catalog":                     {},
	"catalog/api":                 {},
	"catalog/account":             {"catalog"},
	"catalog/sqlite":              {"catalog"},
	"catalog/storetest":           {"catalog"},
	"catalog/registry":            {"catalog", "catalog/api"},
	"catalog/rest":                {"catalog", "catalog/api"},
	"catalog/web":                 {"catalog", "catalog/api"},
	"catalog/client":              {"catalog/api"},
	"gitserver":                   {"catalog", "gitserver/objects"},
	"gitserver/objects":           {"catalog"},
	"hooks":                       {"catalog"},
	"hooks/egress":                {"catalog"},
	"hooks/jobs":                  {"catalog"},
	"hooks/secrets":               {},
	"hooks/github":                {"catalog", "hooks", "hooks/egress", "hooks/jobs", "hooks/secrets"},
	"hooks/notify":                {"catalog", "hooks/egress", "hooks/jobs", "hooks/secrets"},
	"builder":                     {"catalog"},
	"builder/buildkit":            {"catalog", "builder", "builder/buildkit/dockerfile"},
	"builder/buildkit/dockerfile": {"catalog", "builder"},
	"config":                      {},
	"cmd/fandogh":                 {"catalog/client", "catalog/api"},
	"cmd/fandoghd":                {"*"},
	"bench":                       {"*"},
	"bench/ticker":                {},
	"conformance":                 {},
	"internal/programs":           {},
}

// standardLibraryOnly are the packages without any dependency.
var standardLibraryOnly = []string{"catalog", "catalog/api"}

// foreign says who alone may import a heavy dependency.
var foreign = map[string][]string{
	"github.com/mattn/go-sqlite3":          {"catalog/sqlite"},
	"github.com/go-git/go-git/v5":          {"gitserver", "gitserver/objects"},
	"github.com/gliderlabs/ssh":            {"gitserver"},
	"github.com/moby/buildkit":             {"builder/buildkit", "builder/buildkit/dockerfile"},
	"github.com/distribution/distribution": {"catalog/registry"},
	module + "config":                      {"cmd/fandoghd"},
}

type listed struct {
	ImportPath string
	Imports    []string
}

func TestImportsGoOneWay(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		own, known := allowed[name]
		if !known {
			t.Errorf("package %s has no rule in the import table", name)
			continue
		}
		for _, imported := range p.Imports {
			if ours, ok := strings.CutPrefix(imported, module); ok && !permits(own, ours) {
				t.Errorf("%s may not import %s", name, ours)
			}
			if slices.Contains(standardLibraryOnly, name) && strings.Contains(strings.Split(imported, "/")[0], ".") {
				t.Errorf("%s may import the standard library only, not %s", name, imported)
			}
			for prefix, users := range foreign {
				if strings.HasPrefix(imported, prefix) && !slices.Contains(users, name) {
					t.Errorf("%s may not import %s: it belongs to %v", name, imported, users)
				}
			}
		}
	}
}

func permits(rule []string, name string) bool {
	return slices.Contains(rule, name) || slices.Contains(rule, "*")
}

// packages lists what is built, without tests: they may tie anything together.
func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p listed
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if p.ImportPath+"/" != module { // the root holds only this test
			all = append(all, p)
		}
	}
	if len(all) < 5 {
		t.Fatalf("go list found only %d packages", len(all))
	}
	return all
}
