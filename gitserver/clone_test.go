package gitserver

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// What is behind a ref can be had by its name, and nothing else.
func TestFetchByCommit(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	first := c.commit("a", "1")
	c.commit("a", "2")
	c.git("tag", "v1")
	c.git("push", "-q", "origin", "main", "v1")
	h.says("alice", "default-branch", "app", "other")
	c.git("push", "-q", "origin", ":main")
	c.git("checkout", "-q", "--orphan", "secret")
	hidden := c.commit("a", "3")
	c.git("push", "-q", "origin", "secret")
	c.git("push", "-q", "origin", ":secret")
	d := h.newClone("alice", "app")
	d.git("fetch", "-q", "--depth", "1", "origin", first)
	if got := d.git("show", "FETCH_HEAD:a"); got != "1" {
		t.Errorf("fetched %q", got)
	}
	d.fails([]string{"fetch", "origin", hidden}, "not our ref")
	d.fails([]string{"fetch", "origin", strings.Repeat("1", 40)}, "not our ref")
}

// A small change of a large file is fetched as a small change.
func TestThinFetch(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	random := make([]byte, 1<<20)
	_, _ = rand.Read(random)
	large := hex.EncodeToString(random)
	c.commit("large", large)
	c.git("push", "-q", "origin", "main")
	d := h.newClone("alice", "app")
	d.git("clone", "-q", h.url("app"), "copy")
	d.dir += "/copy"
	last := c.commit("large", large[:1<<20]+"a change"+large[1<<20:])
	c.git("push", "-q", "origin", "main")
	trace := filepath.Join(h.dir, "packfile")
	cmd := d.command("fetch", "origin")
	cmd.Env = append(cmd.Env, "GIT_TRACE_PACKFILE="+trace)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if info, err := os.Stat(trace); err != nil || info.Size() > 10_000 {
		t.Errorf("the pack was %v bytes, %v", info.Size(), err)
	}
	if got := d.git("rev-parse", "origin/main"); got != last {
		t.Errorf("fetched %s", got)
	}
	d.git("fsck", "--full", "--strict")
}

func TestUnshallowAfterAForcedPush(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	for i := range 3 {
		c.commit("a", fmt.Sprint(i))
	}
	c.git("push", "-q", "origin", "main")
	d := h.newClone("alice", "app")
	d.git("clone", "-q", "--depth", "1", h.url("app"), "copy")
	d.dir += "/copy"
	c.git("commit", "-q", "--amend", "-m", "another")
	c.git("push", "-q", "-f", "origin", "main")
	d.git("fetch", "-q", "--unshallow")
	if got := d.git("rev-parse", "--is-shallow-repository"); got != "false" {
		t.Errorf("shallow: %s", got)
	}
	d.git("merge-base", "HEAD", "origin/main")
	d.git("fsck", "--full")
}

// Nor does a client that says to have a hidden commit get what is behind that.
func TestUnshallowOfAHiddenCommit(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	c.commit("a", "1")
	c.git("push", "-q", "origin", "main")
	hidden := c.commit("a", "secret")
	c.commit("a", "2")
	for _, version := range []string{"0", "2"} {
		c.git("push", "-q", "origin", "main:oops")
		d := h.newClone("alice", "app")
		d.git("clone", "-q", "--depth", "1", "--branch", "oops", h.url("app"), "copy"+version)
		d.dir += "/copy" + version
		d.git("config", "protocol.version", version)
		c.git("push", "-q", "origin", ":oops")
		d.git("fetch", "-q", "--unshallow", "origin", "main")
		d.fails([]string{"cat-file", "-e", hidden})
		d.git("fsck", "--full")
	}
}

func TestCloneOfAnImageWithoutAPush(t *testing.T) {
	h := newEnv(t, nil)
	if _, err := h.store.CreateImage(t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: "alice", Name: "empty"}}); err != nil {
		t.Fatal(err)
	}
	c := h.newClone("alice", "empty")
	if out := c.git("clone", h.url("empty"), "copy"); !strings.Contains(out, "empty repository") {
		t.Errorf("git said %s", out)
	}
	c.fails([]string{"clone", h.url("none"), "other"}, "no git repository")
}

// What goes wrong after the sideband began is a sentence for the user.
func TestLateErrorsAreSentences(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	c.commit("a", "1")
	arguments := []string{"push"}
	for i := range maxPushOptions + 1 {
		arguments = append(arguments, "-o", fmt.Sprintf("a%d=b", i))
	}
	c.fails(append(arguments, "origin", "main"), "at most")
	if out, _ := c.try(append(arguments, "origin", "main")...); strings.Contains(out, "bad band") {
		t.Errorf("git said %s", out)
	}
}
