package catalog_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

func TestTimeline(t *testing.T) {
	zero := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	step := func(digest string, from, to int, inputs ...string) catalog.Step {
		s := catalog.Step{Digest: digest, Inputs: inputs}
		if from >= 0 {
			s.StartedAt = zero.Add(time.Duration(from) * time.Second)
		}
		if to >= 0 {
			s.EndedAt = zero.Add(time.Duration(to) * time.Second)
		}
		return s
	}
	cached := func(s catalog.Step) catalog.Step {
		s.Cached = true
		return s
	}
	for name, c := range map[string]struct {
		steps []catalog.Step
		want  string // of each: place waited for, begin+took, * where it is critical
	}{
		"none":         {nil, ""},
		"one":          {[]catalog.Step{step("a", 0, 2)}, "-1 0+2*"},
		"two branches": {[]catalog.Step{step("a", 0, 1), step("b", 0, 5), step("c", 1, 2, "a"), step("d", 5, 6, "c", "b")}, "-1 0+1, -1 0+5*, 0 1+1, 1 5+1*"},
		// BuildKit tells of what it finds in the cache when it needs it, which may be late: nothing waited for that.
		"found late": {[]catalog.Step{step("a", 0, 1), step("b", 1, 5, "a"), cached(step("c", 6, 6, "a")), cached(step("d", 6, 6, "c", "b")), step("export", 6, 7)},
			"-1 0+1*, 0 1+4*, 0 6+0, 1 6+0*, -1 6+1*"},
		"not known":       {[]catalog.Step{step("a", 0, 1), step("b", 1, 2), step("export", 2, 3)}, "-1 0+1*, -1 1+1*, -1 2+1*"},
		"runs":            {[]catalog.Step{step("a", 0, 1), step("b", 1, -1, "a")}, "-1 0+1*, 0 1+0"},
		"never began":     {[]catalog.Step{step("a", 0, 1), step("b", -1, -1, "a")}, "-1 0+1*, 0 0+0"},
		"a circle":        {[]catalog.Step{step("a", 0, 1, "b"), step("b", 0, 2, "a", "b")}, "1 0+1*, 0 0+2*"},
		"ends early":      {[]catalog.Step{step("a", 3, 1)}, "-1 0+0*"},
		"of another":      {[]catalog.Step{step("a", 0, 1, "elsewhere")}, "-1 0+1*"},
		"of same moments": {[]catalog.Step{step("a", 0, 0), step("b", 0, 0), step("c", 0, 0)}, "-1 0+0*, -1 0+0*, -1 0+0*"},
	} {
		var got []string
		for _, s := range catalog.Timeline(c.steps) {
			text := fmt.Sprintf("%d %d+%d", s.Waited, int(s.Begin.Seconds()), int(s.Took.Seconds()))
			if s.Critical {
				text += "*"
			}
			got = append(got, text)
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s: %s, want %s", name, text, c.want)
		}
	}
}
