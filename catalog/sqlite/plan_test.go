package sqlite

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// TestPlans holds the queries that a growing catalog must not slow down to
// searches of an index that yields the wanted order.
func TestPlans(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "fandogh.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	type query struct {
		name, text string
		args       []any
	}
	list := func(name string, states ...catalog.State) query {
		text, args := listVersions(1, catalog.VersionFilter{States: states})
		return query{name, text, args}
	}
	for _, q := range []query{
		list("ListVersions"),
		list("ListVersions in one state", catalog.Built),
		list("ListVersions in two states", catalog.Built, catalog.Failed),
		list("ListVersions in every state", catalog.States()...),
		{"Version", selectVersionByName, []any{1, "v1"}},
		{"Image", selectImageByRef, []any{"ann", "app"}},
		{"ListImages", selectImagesInOne, []any{"ann", math.MaxInt64, 10}},
		{"ListBuilds", selectBuilds, []any{1, math.MaxInt64, 10}},
		{"ClaimBuild, who waits", selectWaiting, []any{0}},
		{"ClaimBuild, what runs", selectRunning, nil},
		{"ReclaimBuilds", selectLost, []any{"me", 0}},
		{"NextWake", selectWake, nil},
		{"Steps", selectSteps, []any{1}},
	} {
		plan, err := all(t.Context(), s.r, func(row scanner) (detail string, err error) {
			var id, parent, unused int
			return detail, row.Scan(&id, &parent, &unused, &detail)
		}, "EXPLAIN QUERY PLAN "+q.text, q.args...)
		if err != nil {
			t.Fatalf("%s: %v", q.name, err)
		}
		text := strings.Join(plan, "\n")
		if !strings.Contains(text, "SEARCH") || strings.Contains(text, "SCAN") || strings.Contains(text, "TEMP B-TREE") {
			t.Errorf("%s reads more than it returns:\n%s", q.name, text)
		}
	}
}
