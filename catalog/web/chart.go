package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// A spark is drawn on so many units, with a margin for its line.
const (
	sparkWidth  = 160
	sparkHeight = 32
	sparkMargin = 3
)

// spark is a small line over versions, the oldest first. Its extremes are in words beside it.
type spark struct {
	Points              string // of an SVG polyline; empty: there are too few values
	Least, Most, Latest int64
}

func sparkOf(values []int64) spark {
	if len(values) < 2 {
		return spark{}
	}
	s := spark{Least: slices.Min(values), Most: slices.Max(values), Latest: values[len(values)-1]}
	span := max(float64(s.Most-s.Least), 1)
	var points []string
	for i, v := range values {
		x := sparkMargin + float64(i)*(sparkWidth-2*sparkMargin)/float64(len(values)-1)
		y := sparkHeight - sparkMargin - float64(v-s.Least)*(sparkHeight-2*sparkMargin)/span
		points = append(points, fmt.Sprintf("%.1f,%.1f", x, y))
	}
	s.Points = strings.Join(points, " ")
	return s
}

// sparksOf draws how long the built versions of a list took and how large they are; the list is newest first.
func sparksOf(rows []versionRow) (durations, sizes spark) {
	var took, size []int64
	for _, row := range slices.Backward(rows) {
		if row.State != catalog.Built {
			continue
		}
		size = append(size, row.Size)
		if row.Took > 0 {
			took = append(took, int64(row.Took))
		}
	}
	return sparkOf(took), sparkOf(size)
}

// nanos is a duration of a spark.
func nanos(n int64) time.Duration { return time.Duration(n) }

// listedImages bounds how many images a page of usage lists.
const listedImages = 100

// largest are the images that take most, and how many others there are.
func largest(images []catalog.ImageUsage) (most []catalog.ImageUsage, others int) {
	bytes := func(i catalog.ImageUsage) int64 { return i.Own + i.Shared + i.Git + i.Logs }
	most = slices.SortedStableFunc(slices.Values(images), func(a, b catalog.ImageUsage) int { return cmp.Compare(bytes(b), bytes(a)) })
	others = max(len(most)-listedImages, 0)
	return most[:len(most)-others], others
}
