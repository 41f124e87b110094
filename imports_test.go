package fandogh_test

import (
	"encoding/json"
	"maps"
	"os"
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
	"catalog":                       {},
	"catalog/api":                   {},
	"catalog/account":               {"catalog", "internal/signature"},
	"catalog/sqlite":                {"catalog"},
	"catalog/sqlite/sqlitetest":     {"catalog/sqlite"},
	"catalog/storetest":             {"catalog", "internal/testkit"},
	"catalog/registry":              {"catalog", "catalog/api", "internal/diskspace", "internal/periodic", "internal/requests"},
	"catalog/rest":                  {"catalog", "catalog/api", "internal/requests"},
	"catalog/web":                   {"catalog", "catalog/api", "internal/language", "internal/requests", "internal/turns"},
	"catalog/quota":                 {"catalog"},
	"catalog/retention":             {"catalog", "internal/periodic"},
	"catalog/client":                {"catalog/api"},
	"gitserver":                     {"catalog", "gitserver/lfs", "gitserver/objects", "gitserver/protocol", "gitserver/repository", "internal/connlimit", "internal/language"},
	"gitserver/lfs":                 {"catalog", "gitserver/packets", "gitserver/repository"},
	"gitserver/packets":             {"catalog"},
	"gitserver/protocol":            {"catalog", "gitserver/objects", "gitserver/packets", "gitserver/refs", "gitserver/repository", "internal/language", "internal/signature"},
	"gitserver/repository":          {"catalog", "gitserver/objects", "gitserver/refs", "internal/diskspace"},
	"gitserver/refs":                {"catalog", "gitserver/objects"},
	"gitserver/refs/refstest":       {"catalog", "gitserver/objects", "gitserver/refs"},
	"gitserver/objects":             {"catalog"},
	"gitserver/objects/storagetest": {"gitserver/objects"},
	"hooks":                         {"catalog", "hooks/archive", "internal/language"},
	"hooks/archive":                 {"catalog"},
	"hooks/jobs":                    {"catalog"},
	"hooks/secrets":                 {"catalog"},
	"hooks/signing":                 {"catalog", "internal/attestation", "internal/imagediff", "internal/sbom", "internal/signature", "internal/turns"},
	"hooks/submodules":              {"catalog", "internal/egress"},
	"hooks/github":                  {"catalog", "hooks", "hooks/jobs", "hooks/secrets", "internal/egress", "internal/periodic"},
	"hooks/notify":                  {"catalog", "hooks/jobs", "hooks/secrets", "internal/egress", "internal/reserved"},
	"builder":                       {"catalog"},
	"builder/buildkit":              {"catalog", "builder", "builder/buildkit/dockerfile", "builder/buildkit/export", "builder/workers", "internal/egress"},
	"builder/buildkit/dockerfile":   {"catalog", "builder", "builder/buildkit/export", "internal/confined"},
	"builder/buildkit/export":       {"catalog", "builder"},
	"builder/buildkitd":             {"catalog", "builder", "builder/buildkitd/netspace", "builder/workers", "internal/reserved"},
	"builder/buildkitd/netspace":    {},
	"builder/mirror":                {"catalog", "internal/egress"},
	"builder/buildkittest":          {"catalog", "builder", "builder/buildkitd/netspace", "internal/testkit"},
	"builder/workers":               {},
	"config":                        {},
	"cmd/fandogh":                   {"catalog/client", "catalog/api", "internal/attestation", "internal/imagefile", "internal/language", "internal/signature", "internal/usage", "internal/version"},
	"cmd/fandoghd":                  {"*"},
	"bench":                         {"*"},
	"bench/ticker":                  {},
	"conformance":                   {},
	"deploy":                        {},
	"internal/atomicfile":           {},
	"internal/attestation":          {},
	"internal/backup":               {"catalog"},
	"internal/bounded":              {},
	"internal/confined":             {},
	"internal/connlimit":            {"catalog"},
	"internal/diskspace":            {"catalog"},
	"internal/egress":               {"catalog", "internal/reserved"},
	"internal/imagediff":            {"internal/imagefile"},
	"internal/imagefile":            {},
	"internal/imagefiles":           {"catalog", "internal/imagediff", "internal/turns"},
	"internal/language":             {},
	"internal/language/langtest":    {"internal/language"},
	"internal/metrics":              {"catalog", "internal/requests"},
	"internal/periodic":             {},
	"internal/programs":             {},
	"internal/requests":             {"catalog"},
	"internal/reserved":             {},
	"internal/sbom":                 {"catalog", "internal/confined", "internal/imagefile"},
	"internal/signature":            {},
	"internal/testkit":              {},
	"internal/testkit/browser":      {},
	"internal/turns":                {},
	"internal/usage":                {"internal/language"},
	"internal/version":              {},
}

// shared are what any package with imports of ours may use.
var shared = []string{"internal/atomicfile", "internal/bounded"}

// standardLibraryOnly are the packages without any dependency.
var standardLibraryOnly = []string{"catalog", "catalog/api", "internal/atomicfile", "internal/attestation", "internal/bounded", "internal/reserved", "internal/turns", "internal/version"}

// foreign says who alone may import a heavy dependency.
var foreign = map[string][]string{
	"github.com/mattn/go-sqlite3":          {"catalog/sqlite"},
	"github.com/go-git/go-git/v5":          {"gitserver/protocol", "gitserver/repository", "gitserver/refs", "gitserver/refs/refstest", "gitserver/objects", "gitserver/objects/storagetest"},
	"github.com/moby/buildkit":             {"builder/buildkit", "builder/buildkit/dockerfile", "builder/buildkit/export", "builder/buildkitd", "builder/workers"},
	"github.com/distribution/distribution": {"catalog/registry", "builder/buildkittest"},
	"github.com/ProtonMail/go-crypto":      {"internal/signature"},
	"github.com/prometheus/client_golang":  {"internal/metrics"},
	"github.com/google/osv-scalibr":        {"internal/sbom"},
	module + "config":                      {"cmd/fandoghd"},
}

type listed struct {
	ImportPath string
	Imports    []string
	Dir        string
	GoFiles    []string
}

// Each package stands in the table of ARCHITECTURE.md that says what it is.
func TestEveryPackageIsExplained(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "\n| package | what it is |\n")
	if !found {
		t.Fatal("ARCHITECTURE.md has no table of packages")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	for name := range allowed {
		if !strings.Contains(table, "`"+name+"`") {
			t.Errorf("package %s is not explained", name)
		}
	}
}

func TestImportsGoOneWay(t *testing.T) {
	gone := maps.Clone(allowed)
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		delete(gone, name)
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
	for name := range gone {
		t.Errorf("the import table has a rule for %s, which does not exist", name)
	}
}

func permits(rule []string, name string) bool {
	return slices.Contains(rule, name) || slices.Contains(rule, "*") || slices.Contains(shared, name)
}

// packages lists what is built, without tests: they may tie anything together.
func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Dir,GoFiles", "./...").Output()
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
