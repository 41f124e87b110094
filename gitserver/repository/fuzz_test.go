package repository

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// FuzzAttributes has git say which attributes a path has.
func FuzzAttributes(f *testing.F) {
	f.Add("*.txt export-ignore\n", "a.txt")
	f.Add("/docs/ export-ignore\n*.bin filter=lfs diff=lfs merge=lfs -text\n", "docs")
	f.Add("[attr]big filter=lfs\n*.iso big\nx/**/y -export-ignore\n", "x/a/y")
	f.Add("\"a b\" export-ignore\n[a-c]? filter=lfs\n[!x]y export-ignore", "a b")
	f.Add(`[\d] export-ignore`, "d")
	dir := f.TempDir()
	if out, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
		f.Fatalf("%v %s", err, out)
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		if len(text) > 2000 || len(name) > 200 || !isPlainPath(name) || strings.Contains(text, "\x00") {
			return
		}
		if err := os.WriteFile(filepath.Join(dir, ".gitattributes"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		check := exec.Command("git", "-C", dir, "check-attr", "-z", "--stdin", "export-ignore", "filter")
		check.Stdin = strings.NewReader(name + "\x00")
		out, err := check.Output()
		fields := strings.Split(string(out), "\x00")
		if err != nil || len(fields) < 6 {
			t.Fatalf("%v %q", err, fields)
		}
		want := attributes{exportIgnore: fields[2] == "set", lfs: fields[5] == "lfs"}
		var rules *attributeRules
		if got := rules.with("", []byte(text)).of(name, false); got != want {
			t.Errorf("%q has %+v, and in git %+v, by %q", name, got, want, text)
		}
	})
}

// isPlainPath reports whether git knows a path as it is.
func isPlainPath(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." || catalog.IsDotGit(part) {
			return false
		}
	}
	return !strings.Contains(name, "\x00")
}
