package builder

import (
	"testing"

	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// Beyond a bound one line says so, and nothing follows, whatever fits again.
func TestBounds(t *testing.T) {
	for what, c := range map[string]struct {
		bound *Bound
		limit int64
		says  string
	}{
		"a solve's output": {OutputBound(10), 10, "(the output of this build exceeds the limit; the rest is left out)"},
		"a log":            {logBound(), 64 << 20, "The log exceeds 67.11MB; the rest of the output is left out."},
	} {
		var got []string
		for _, written := range []int64{0, c.limit, c.limit + 1, c.limit + 2, 0} {
			got = append(got, c.bound.Line("line", written))
		}
		testkit.Same(t, what, got, []string{"line", "line", c.says, "", ""})
		testkit.Same(t, what+" is full", c.bound.IsFull(), true)
	}
}
