package fandogh_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// ourPath is what names a package of ours, or a file that stands in one or beside them.
var ourPath = regexp.MustCompile(`^(bench|builder|catalog|cmd|config|conformance|deploy|docs|gitserver|hooks|internal)/[\w./-]+$`)

// TestPagesNameWhatExists looks for every package and every Go file that the pages for developers name, in the text
// or in a picture. A file may be named by the end of its path.
func TestPagesNameWhatExists(t *testing.T) {
	goFiles := goFiles(t)
	for _, page := range []string{"ARCHITECTURE.md", "CONTRIBUTING.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, found := range regexp.MustCompile("`([^`\n]+)`|\\[\"([^\"\n]+)\"]").FindAllStringSubmatch(string(text), -1) {
			name, _, _ := strings.Cut(found[1]+found[2], ":")
			isFile := strings.HasSuffix(name, ".go") && !strings.ContainsAny(name, " *")
			if !isFile && !ourPath.MatchString(name) {
				continue
			}
			seen++
			if _, err := os.Stat(name); err == nil {
				continue
			}
			if !isFile || !slices.ContainsFunc(goFiles, func(file string) bool { return strings.HasSuffix(file, "/"+name) }) {
				t.Errorf("%s names %s, which does not exist", page, name)
			}
		}
		if seen < 10 {
			t.Errorf("%s: saw only %d names", page, seen)
		}
	}
}

// goFiles lists all Go files below this directory.
func goFiles(t *testing.T) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules" || d.Name() == "data" || d.Name() == "bin") {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			all = append(all, filepath.ToSlash(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A file that is not a test has at most so many lines: what grows beyond is two things.
const maxFileLines = 402

func TestFilesAreShort(t *testing.T) {
	for _, file := range goFiles(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(string(text), "\n"); lines > maxFileLines && !strings.HasSuffix(file, "_test.go") {
			t.Errorf("%s has %d lines", file, lines)
		}
	}
}

// TestArchitectureOpensWhatExists looks for every path that "To change X, open Y" names.
func TestArchitectureOpensWhatExists(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## To change X, open Y\n")
	if !found {
		t.Fatal("ARCHITECTURE.md has no such section")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	rows := 0
	for line := range strings.SplitSeq(section, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || strings.HasPrefix(line, "|---") || strings.HasPrefix(line, "| to change |") {
			continue
		}
		rows++
		if !strings.Contains(cells[2], "`") {
			t.Errorf("nothing to open: %s", line)
		}
		for _, path := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[2]+cells[3], -1) {
			if _, err := os.Stat(path[1]); err != nil {
				t.Errorf("to change%s: %v", cells[1], err)
			}
		}
	}
	if rows < 10 {
		t.Errorf("saw only %d rows", rows)
	}
}
