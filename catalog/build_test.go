package catalog

import (
	"context"
	"slices"
	"testing"
)

// pagedBuilds lists the builds 1 to n of version 1, two at most in a page.
type pagedBuilds int

func (p pagedBuilds) ListBuilds(_ context.Context, versionID int64, page Page) ([]Build, error) {
	var all []Build
	for i := 1; i <= int(p) && versionID == 1; i++ {
		if id := int64(10 * i); page.Before == 0 || id < page.Before {
			all = append(all, Build{ID: id, Number: i})
		}
	}
	slices.Reverse(all)
	most := 2
	if page.Limit > 0 {
		most = min(most, page.Limit)
	}
	return all[:min(len(all), most)], nil
}

func TestNewestBuild(t *testing.T) {
	v := Version{ID: 1, Name: "1.0"}
	if b, err := NewestBuild(t.Context(), pagedBuilds(5), v); err != nil || b.Number != 5 {
		t.Errorf("of five: %+v, %v", b, err)
	}
	if b, err := NewestBuild(t.Context(), pagedBuilds(0), v); CodeOf(err) != NotFound {
		t.Errorf("of none: %+v, %v", b, err)
	}
}
