package gitserver

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// Logins, pushed refs and commands that change something are one line each.
func TestAuditLog(t *testing.T) {
	log := &testkit.Buffer{}
	b := &builds{}
	h := newEnv(t, func(c *Config) {
		c.Control, c.Logs = b, b
		c.Logger = hclog.New(&hclog.LoggerOptions{Name: "fandoghd", Output: log})
	})
	lines := func(part string) (found []string) {
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, " audit: ") && strings.Contains(line, part) {
				found = append(found, line)
			}
		}
		return found
	}
	c := h.newClone("alice", "alice/app")
	commit := c.commit("Dockerfile", "FROM scratch\n")
	c.git("tag", "v1")
	c.git("push", "origin", "main", "v1")
	for _, part := range []string{"login: from=127.0.0.1:", "user=alice via=ssh key="} {
		if got := lines(part); len(got) != 1 {
			t.Errorf("%q is logged as %q", part, got)
		}
	}
	if got := lines("ref pushed: from="); len(got) != 2 || !strings.Contains(got[1], "user=alice via=ssh image=alice/app ref=refs/tags/v1") || !strings.Contains(got[1], "new="+commit) {
		t.Errorf("the push is logged as %q", got)
	}
	image, err := h.store.Image(t.Context(), catalog.ImageRef{Namespace: "alice", Name: "app"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.store.QueueBuilds(t.Context(), []catalog.NewBuild{{ImageID: image.ID, Version: "v1", Trigger: catalog.TriggerPush, Commit: commit}}); err != nil {
		t.Fatal(err)
	}
	if out, status := h.ssh("alice", "cancel", "app", "v1"); status != 0 {
		t.Fatalf("cancel: %s", out)
	}
	if got := lines("cancel: from="); len(got) != 1 || !strings.Contains(got[0], "user=alice via=ssh image=alice/app") {
		t.Errorf("the command is logged as %q", got)
	}
	stranger := h.dir + "/stranger.key"
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stranger).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if _, status := h.ssh("stranger", "images"); status == 0 {
		t.Error("a stranger got in")
	}
	testkit.Eventually(t, "the failed login is logged", func() bool { return len(lines("login failed: from=")) == 1 })
}
