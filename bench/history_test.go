package main

import (
	"math"
	"testing"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

func TestHistoryMeetsItsSize(t *testing.T) {
	b := &bench{dir: t.TempDir()}
	h, err := b.newHistory(t.Context(), histories[1])
	if err != nil {
		t.Fatal(err)
	}
	for what, x := range map[string]struct{ got, want float64 }{
		"objects": {float64(h.objects), 13_500},
		"bytes":   {float64(h.bytes), 8_500_000},
	} {
		if math.Abs(x.got/x.want-1) > 0.05 {
			t.Errorf("%s: %.0f, not within 5 %% of %.0f", what, x.got, x.want)
		}
	}
}

func TestExistingHistoryIsOnlyRead(t *testing.T) {
	b := &bench{dir: t.TempDir()}
	from, err := b.newHistory(t.Context(), 20)
	if err != nil {
		t.Fatal(err)
	}
	h, err := b.openHistory(t.Context(), from.dir)
	if err != nil {
		t.Fatal(err)
	}
	if h.objects <= from.objects {
		t.Errorf("%d objects of %d, with a commit on top", h.objects, from.objects)
	}
	refs, err := programs.Command(t.Context(), from.dir, nil, "git", "for-each-ref", "--format=%(objectname) %(refname)")
	if err != nil || refs != from.head+" refs/heads/main" {
		t.Errorf("the repository's refs are %q, %v", refs, err)
	}
}
