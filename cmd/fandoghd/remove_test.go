package main

import (
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

func TestRemovalsOfVersionsGoTogether(t *testing.T) {
	app, other, again := catalog.ImageRef{Namespace: "ann", Name: "app"}, catalog.ImageRef{Namespace: "ann", Name: "other"}, int64(3)
	list := []catalog.Removal{
		{ID: 1, ImageID: 1, Image: app, Version: "v1"}, {ID: 2, ImageID: 1, Image: app, Version: "v2"},
		{ID: 3, ImageID: 2, Image: other, Version: "v1"}, {ID: 4, ImageID: 1, Image: app, Version: "v3"},
		{ID: 5, ImageID: 1, Image: app}, {ID: 6, ImageID: again, Image: app, Version: "v1"}, {ID: 7, Image: catalog.ImageRef{Namespace: "ann"}}, {ID: 8, Image: catalog.ImageRef{Namespace: "bob"}},
	}
	var got [][]int64
	for _, group := range together(list) {
		var ids []int64
		for _, r := range group {
			ids = append(ids, r.ID)
		}
		got = append(got, ids)
	}
	testkit.Same(t, "groups", got, [][]int64{{1, 2}, {3}, {4}, {5}, {6}, {7}, {8}})
}
