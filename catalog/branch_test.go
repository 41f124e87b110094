package catalog_test

import (
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// FuzzBranchVersion holds that every branch's commits can be versions, which tell their commit.
func FuzzBranchVersion(f *testing.F) {
	for _, branch := range []string{"main", "feature/x..y", "-x", "..", "é", strings.Repeat("a.", 99), "a.lock", "_"} {
		f.Add(branch)
	}
	const commit = "0123abcdef0123abcdef0123abcdef0123abcdef"
	f.Fuzz(func(t *testing.T, branch string) {
		version := catalog.BranchVersion(branch, commit)
		if err := catalog.ValidateVersion(version); err != nil || !strings.HasSuffix(version, "-0123abc") {
			t.Errorf("%q became %q: %v", branch, version, err)
		}
	})
}
