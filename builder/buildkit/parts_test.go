//go:build linux

package buildkit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// divided returns what becomes of a tree's files, and checks that each is in
// just one part.
func divided(t *testing.T, tree *testTree, most int) division {
	t.Helper()
	d, err := divide(t.Context(), &contextFS{ctx: t.Context(), tree: tree, root: "."}, "", most)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.parts) == 0 {
		return d
	}
	for name, file := range tree.MapFS {
		holders := 0
		for _, part := range d.parts {
			for _, entry := range part {
				if name == entry || strings.HasPrefix(name, entry+"/") {
					holders++
				}
			}
		}
		if holders != 1 && !file.Mode.IsDir() || holders > 1 {
			t.Errorf("%s is in %d parts", name, holders)
		}
	}
	return d
}

func TestDivide(t *testing.T) {
	file := strings.Repeat("x", 1000)
	tests := []struct {
		name  string
		most  int
		files int
		path  string // of file i
		want  int    // parts, 0 for none
	}{
		{"small", 16, 1500, "d%[2]d/f%[1]d", 0},
		{"folders", 16, 9000, "d%[2]d/f%[1]d", 16},
		{"fewer", 16, 2200, "d%[2]d/f%[1]d", 4},
		{"flat", 16, 9000, "f%[1]d", 16},
		{"deep", 16, 9000, "a/b/c/d%[2]d/e/f%[1]d", 16},
		{"bounded", 5, 9000, "d%[2]d/f%[1]d", 4},
		{"many copies", 0, 9000, "d%[2]d/f%[1]d", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tree := newTree(nil)
			for i := range test.files {
				tree.add(fmt.Sprintf(test.path, i, i/50), file, 0o644)
			}
			if got := len(divided(t, tree, test.most).parts); got != test.want {
				t.Errorf("%d parts, want %d", got, test.want)
			}
		})
	}
}

func TestChangeLeavesOtherPartsAsTheyAre(t *testing.T) {
	tree := newTree(nil)
	for i := range 4000 {
		tree.add(fmt.Sprintf("src/d%d/f%d", i/50, i), "text", 0o644)
	}
	before := divided(t, tree, 16).parts
	changes := map[string]func(){
		"a file changes":    func() { tree.add("src/d7/f350", strings.Repeat("longer", 2000), 0o644) },
		"a file comes":      func() { tree.add("src/d7/extra", "text", 0o644) },
		"a directory comes": func() { tree.add("src/new/file", "text", 0o644) },
		"a file goes":       func() { delete(tree.MapFS, "src/d7/f351") },
	}
	for what, change := range changes {
		change()
		after := divided(t, tree, 16).parts
		differ := 0
		for i := range before {
			if !slices.Equal(before[i], after[i]) {
				differ++
			}
		}
		if differ > 1 || len(after) != len(before) {
			t.Errorf("%s: %d parts became %d, %d of them with other entries", what, len(before), len(after), differ)
		}
	}
}
