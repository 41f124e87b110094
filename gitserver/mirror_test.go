package gitserver

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What a clone has is stored, and comes back, as with git's own server.
func TestPushMirror(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	c.commit("a", "1")
	c.git("branch", "feature/x")
	c.git("tag", "v1")
	c.git("tag", "-a", "-m", "t", "v2")
	c.git("notes", "add", "-m", "a note")
	c.git("update-ref", "refs/remotes/origin/main", "HEAD")
	c.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
	c.git("update-ref", "refs/changes/1", "HEAD^{tree}")
	stock := filepath.Join(t.TempDir(), "stock.git")
	c.git("init", "-q", "--bare", stock)
	compare := func() {
		t.Helper()
		c.git("push", "--mirror", h.url("app"))
		c.git("push", "--mirror", stock)
		out, err := exec.Command("git", "-C", stock, "for-each-ref", "--format=%(objectname) %(refname)").Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := h.serverRefs(); got != string(out) {
			t.Errorf("refs are\n%s\nstock has\n%s", got, out)
		}
		h.fsck()
	}
	compare()
	c.git("notes", "add", "-f", "-m", "another")
	c.git("branch", "-D", "feature/x")
	c.git("branch", "feature")
	c.git("tag", "-d", "v1")
	compare()
	c.git("clone", "-q", "--mirror", h.url("app"), "mirror")
	if out := c.git("-C", "mirror", "log", "-1", "--format=%N", "main"); !strings.Contains(out, "another") {
		t.Errorf("the note is %q", out)
	}
}

// Names that can't both be are refused as git refuses them, each alone or the whole push.
func TestNamesBesideOneAnother(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	c.commit("a", "1")
	c.git("push", "-q", "origin", "main", "main:n")
	c.fails([]string{"push", "origin", "main:n/m", "main:other"}, "refs/heads/n/m can't exist beside refs/heads/n", "main -> other")
	c.fails([]string{"push", "--atomic", "origin", "main:x", "main:x/y"}, "can't exist beside")
	if refs := h.serverRefs(); strings.Contains(refs, "heads/x") || strings.Contains(refs, "n/m") || !strings.Contains(refs, "other") {
		t.Errorf("there are\n%s", refs)
	}
	c.git("push", "origin", ":n", "main:n/m")
	h.fsck()
}
