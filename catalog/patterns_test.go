package catalog_test

import (
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

func TestMatchPatterns(t *testing.T) {
	for _, test := range []struct {
		patterns, name string
		want           bool
	}{
		{"v*", "v1.0", true}, {"v*", "w1", false}, {"v1.?", "v1.2", true}, {"", "x", false}, {"a b", "b", true}, {"a, b", "b", true},
		{"feature/*", "feature/a", true}, {"feature/*", "feature/a/b", false}, {"feature/**", "feature/a/b", true}, {"**", "a/b", true}, {"*", "a/b", false},
	} {
		if got := catalog.MatchPatterns(test.patterns, test.name); got != test.want {
			t.Errorf("%q fits %q: got %v", test.name, test.patterns, got)
		}
	}
}
