package dockerfile

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/builder/buildkit/export"
)

// entriesOf returns directories and files of the given sizes, as a plan has them.
func entriesOf(files map[string]int64) []export.Entry {
	plan := &copyPlan{root: newRootfs(nil), index: map[string]int{}}
	plan.set(export.Entry{Name: "/app", Mode: fs.ModeDir | 0o755, IsParent: true})
	for name, size := range files {
		for dir := path.Dir(name); dir != "/app"; dir = path.Dir(dir) {
			plan.set(export.Entry{Name: dir, Mode: fs.ModeDir | 0o755})
		}
		plan.set(export.Entry{Name: name, Mode: 0o644, Size: size})
	}
	return plan.sorted()
}

func manyFiles(count int, format string) map[string]int64 {
	files := map[string]int64{}
	for i := range count {
		files["/app/"+fmt.Sprintf(format, i, i/50)] = 1000
	}
	return files
}

// divided divides entries and checks that each is in just one part, behind the directories
// that it is in.
func divided(t *testing.T, entries []export.Entry, most int) [][]export.Entry {
	t.Helper()
	parts := divide(entries, most)
	holders := map[string]int{}
	for _, part := range parts {
		has := map[string]bool{"/": true}
		for _, e := range part {
			if !has[path.Dir(e.Name)] {
				t.Errorf("%s comes without its directory", e.Name)
			}
			if has[e.Name] {
				t.Errorf("%s is in a part twice", e.Name)
			}
			has[e.Name] = true
			holders[e.Name]++
		}
	}
	for _, e := range entries {
		if n := holders[e.Name]; n == 0 || n > 1 && !e.Mode.IsDir() {
			t.Errorf("%s is in %d parts", e.Name, n)
		}
	}
	return parts
}

func TestDivide(t *testing.T) {
	tests := []struct {
		name  string
		most  int
		files int
		path  string // of file i
		want  int    // parts
	}{
		{"small", 16, 1500, "d%[2]d/f%[1]d", 1},
		{"folders", 16, 9000, "d%[2]d/f%[1]d", 16},
		{"fewer", 16, 2200, "d%[2]d/f%[1]d", 4},
		{"flat", 16, 9000, "f%[1]d", 16},
		{"wide", 16, 60000, "wide/f%[1]d", 16},
		{"deep", 16, 9000, "a/b/c/d%[2]d/e/f%[1]d", 16},
		{"bounded", 5, 9000, "d%[2]d/f%[1]d", 4},
		{"no room", 1, 9000, "d%[2]d/f%[1]d", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := len(divided(t, entriesOf(manyFiles(test.files, test.path)), test.most)); got != test.want {
				t.Errorf("%d parts, want %d", got, test.want)
			}
		})
	}
}

func TestChangeLeavesOtherPartsAsTheyAre(t *testing.T) {
	files := manyFiles(4000, "src/d%[2]d/f%[1]d")
	before := divided(t, entriesOf(files), 16)
	changes := map[string]func(){
		"a file changes":    func() { files["/app/src/d7/f350"] = 12000 },
		"a file comes":      func() { files["/app/src/d7/extra"] = 4 },
		"a directory comes": func() { files["/app/src/new/file"] = 4 },
		"a file goes":       func() { delete(files, "/app/src/d7/f351") },
	}
	for what, change := range changes {
		change()
		after := divided(t, entriesOf(files), 16)
		differ := 0
		for i := range before {
			if !slices.EqualFunc(before[i], after[i], func(a, b export.Entry) bool { return a.Name == b.Name && a.Size == b.Size }) {
				differ++
			}
		}
		if differ > 1 || len(after) != len(before) {
			t.Errorf("%s: %d parts became %d, %d of them with other entries", what, len(before), len(after), differ)
		}
		before = after
	}
}

func TestEntriesAreInOrder(t *testing.T) {
	var got []string
	for _, e := range entriesOf(map[string]int64{"/app/a-b": 1, "/app/a/c": 1, "/app/a.b/c": 1, "/app/a/b/c": 1}) {
		got = append(got, e.Name)
	}
	if want := "/app /app/a /app/a/b /app/a/b/c /app/a/c /app/a-b /app/a.b /app/a.b/c"; strings.Join(got, " ") != want {
		t.Errorf("the order is %q, want %s", got, want)
	}
}
