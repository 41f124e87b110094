package gitserver

import (
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// Git takes any name by default, and with receive.fsckObjects none that another file system may take for .git. Here the names
// are refused that any program may, and nothing that git takes by both. Of the others the clients' git writes no file.
func TestNamesLikeDotGit(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	byDefault, strict := filepath.Join(t.TempDir(), "default"), filepath.Join(t.TempDir(), "strict")
	c.git("init", "-q", "--bare", byDefault)
	c.git("init", "-q", "--bare", strict)
	c.git("-C", strict, "config", "receive.fsckObjects", "true")
	blob, err := hex.DecodeString(c.gitWith("x", "hash-object", "-w", "--stdin"))
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range []struct {
		name         string
		strict, ours bool // takes it
	}{
		{".git", false, false},
		{".GIT", false, false},
		{".git ", false, false},
		{".git. .", false, false},
		{".git::$INDEX_ALLOCATION", false, false},
		{".git . .:x", false, false},
		{"git~1", false, false},
		{"GIT~1.", false, false},
		{`.git\hooks`, false, true},
		{`.git\`, false, true},
		{`.git..\x`, false, true},
		{`a\.git`, false, true},
		{`a\GIT~1`, false, true},
		{".g\u200cit", false, true},
		{"\u200d.git", false, true},
		{".GI\ufeffT", false, true},
		{".git\u200f", false, true},
		{"git~2", true, true},
		{".git~1", true, true},
		{"..git", true, true},
		{".gitx", true, true},
		{".gi", true, true},
		{".git\t", true, true},
		{`a\..`, true, true},
		{".g\u0131t", true, true},
		{".g\u200bit", true, true},
		{".gitmodules\u200c", true, true},
	} {
		t.Run(fmt.Sprintf("%q", row.name), func(t *testing.T) {
			tree := c.gitWith("100644 "+row.name+"\x00"+string(blob), "hash-object", "-t", "tree", "-w", "--literally", "--stdin")
			ref := fmt.Sprintf("%s:refs/heads/b%d", c.git("commit-tree", "-m", "x", tree), i)
			if out, err := c.try("push", byDefault, ref); err != nil {
				t.Errorf("git refuses it by default: %s", out)
			}
			if out, err := c.try("push", strict, ref); (err == nil) != row.strict || err != nil && !strings.Contains(out, "hasDotgit") {
				t.Errorf("git that checks says %v: %s", err, out)
			}
			out, err := c.try("push", "origin", ref)
			if (err == nil) != row.ours || err != nil && !strings.Contains(out, "is equivalent to .git") {
				t.Errorf("we say %v: %s", err, out)
			}
			if row.ours && !row.strict {
				c.fails([]string{"-c", "core.protectHFS=true", "clone", "-b", fmt.Sprintf("b%d", i), "--single-branch", h.url("app"), fmt.Sprintf("copy%d", i)}, "invalid path")
			}
		})
	}
}
