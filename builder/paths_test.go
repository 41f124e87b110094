package builder

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

func TestPathsAreNormal(t *testing.T) {
	got, err := normalPaths([]string{"/services/api/", "./go.*", "**", "!/docs", "! docs/*.md"})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Same(t, "patterns", got, []string{"services/api", "go.*", "**", "!docs", "!docs/*.md"})
	for _, patterns := range [][]string{{"!**/*.md"}, {"../other"}, {"a", "!.."}, {"."}, {"/"}, {"a\nb"}, {"# a"}, {" "}, make([]string, maxPaths+1)} {
		if normal, err := normalPaths(patterns); catalog.CodeOf(err) != catalog.Invalid {
			t.Errorf("%q is %q, %v", patterns, normal, err)
		}
	}
}

func TestSumOfPaths(t *testing.T) {
	file := func(content string) *fstest.MapFile {
		return &fstest.MapFile{Mode: 0o644, Sys: catalog.BlobID(content)}
	}
	sum := func(changes fstest.MapFS, patterns ...string) string {
		t.Helper()
		files := fstest.MapFS{"go.mod": file("1"), "api/main.go": file("1"), "api/README.md": file("1"), "web/index.html": file("1"), "VERSION": file("1")}
		for name, change := range changes {
			if files[name] = change; change == nil {
				delete(files, name)
			}
		}
		sum, err := sumOf(files, patterns)
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	patterns := []string{"api/**", "go.*", "!**/*.md"}
	first := sum(nil, patterns...)
	for what, c := range map[string]struct {
		change fstest.MapFS
		counts bool
	}{
		"a content":            {fstest.MapFS{"api/main.go": file("2")}, true},
		"a mode":               {fstest.MapFS{"api/main.go": &fstest.MapFile{Mode: 0o755, Sys: catalog.BlobID("1")}}, true},
		"a link":               {fstest.MapFS{"api/main.go": &fstest.MapFile{Mode: fs.ModeSymlink | 0o777, Sys: catalog.BlobID("1")}}, true},
		"a name":               {fstest.MapFS{"api/main.go": nil, "api/mail.go": file("1")}, true},
		"a new file":           {fstest.MapFS{"api/sub/x.go": file("1")}, true},
		"a file at the root":   {fstest.MapFS{"go.sum": file("1")}, true},
		"what is left out":     {fstest.MapFS{"api/README.md": file("2")}, false},
		"another directory":    {fstest.MapFS{"web/index.html": file("2")}, false},
		"a file of one prefix": {fstest.MapFS{"apis/x": file("2")}, false},
	} {
		if got := sum(c.change, patterns...); (got != first) != c.counts {
			t.Errorf("%s: that it counts is %v", what, got != first)
		}
	}
	if got := sum(nil, "service/api/**"); got != "" {
		t.Errorf("no file matches, and the sum is %q", got)
	}
}
