package gitserver

import (
	"strings"
	"testing"
)

// Who pushes by real git-lfs is told how to go on.
func TestGitLFSSaysHowToGoOn(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	c.git("lfs", "install", "--local")
	c.git("lfs", "track", "*.bin")
	c.commit("a.bin", "large")
	c.fails([]string{"push", "origin", "main"}, "GIT_LFS_SKIP_PUSH=1", "git lfs migrate export")
	push := c.command("push", "origin", "main")
	push.Env = append(push.Env, "GIT_LFS_SKIP_PUSH=1")
	if out, err := push.CombinedOutput(); err != nil {
		t.Fatalf("as it was told: %v\n%s", err, out)
	}
	if !strings.Contains(h.serverRefs(), "refs/heads/main") {
		t.Error("nothing was pushed")
	}
	c.fails([]string{"lfs", "push", "--all", "origin"}, "Git LFS is not supported")

	// Neither are the objects there for who clones.
	clone := func(environment ...string) ([]byte, error) {
		d := h.newClone("alice", "app")
		cmd := d.command("-c", "filter.lfs.process=git-lfs filter-process", "-c", "filter.lfs.required=true", "clone", h.url("app"), "copy")
		cmd.Env = append(cmd.Env, environment...)
		return cmd.CombinedOutput()
	}
	if out, err := clone(); err == nil || !strings.Contains(string(out), "GIT_LFS_SKIP_SMUDGE=1") || strings.Contains(string(out), "SKIP_PUSH") {
		t.Errorf("a clone: %v\n%s", err, out)
	}
	if out, err := clone("GIT_LFS_SKIP_SMUDGE=1"); err != nil {
		t.Errorf("as it was told: %v\n%s", err, out)
	}
}
