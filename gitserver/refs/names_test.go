package refs

import (
	"os/exec"
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"refs/heads/main": true, "refs/tags/v1.0": true, "refs/heads/a/b": true, "refs/heads/ünïcode": true, "refs/tags/@": true,
		"refs/heads/": false, "refs/tags": false, "HEAD": false, "refs/fandogh/keep/x": false, "refs/notes/x": true, "refs/stash": false, "refs/a/b/c": true, "refs//x": false,
		"refs/tags/" + strings.Repeat("a", 250): true, "refs/tags/" + strings.Repeat("a", 251): false,
		"refs/heads/" + strings.Repeat("a/", 98) + "a": true, "refs/heads/" + strings.Repeat("a/", 99) + "a": false,
		"refs/heads/" + strings.Repeat(strings.Repeat("a", 99)+"/", 39) + "a": true, "refs/heads/" + strings.Repeat(strings.Repeat("a", 99)+"/", 40) + "a": false,
		"refs/heads/a..b": false, "refs/heads/.a": false, "refs/heads/a/.b": false, "refs/heads/a.lock": false, "refs/heads/a.lock/b": false,
		"refs/heads/a b": false, "refs/heads/a~1": false, "refs/heads/a^": false, "refs/heads/a:b": false, "refs/heads/a?": false,
		"refs/heads/a*": false, "refs/heads/a[": false, `refs/heads/a\b`: false, "refs/heads/a@{b": false, "refs/heads/a.": false,
		"refs/heads//a": false, "refs/heads/a/": false, "refs/heads/a\x01": false, "refs/heads/a\x7f": false, "refs/heads/../../x": false,
		"refs/tags/../heads/main": false,
	} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("CheckName(%q) = %v, want ok %v", name, err, ok)
		}
	}
}

// FuzzCheckName holds that what is accepted is accepted by git.
func FuzzCheckName(f *testing.F) {
	for _, seed := range []string{"refs/heads/main", "refs/tags/v1", "refs/heads/a..b", "refs/heads/a@{1}", "refs/tags/x.lock"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if CheckName(name) != nil || strings.ContainsRune(name, 0) {
			return
		}
		if out, err := exec.Command("git", "check-ref-format", name).CombinedOutput(); err != nil {
			t.Errorf("git refuses %q: %v %s", name, err, out)
		}
	})
}
