package gitserver

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// TestKilledClientOnASharedConnection has the connection outlive the push, as
// OpenSSH's ControlMaster does.
func TestKilledClientOnASharedConnection(t *testing.T) {
	h := newEnv(t, func(c *Config) { c.KeepAlive = 20 * time.Millisecond })
	c := h.newClone("alice", "app")
	c.commit("a.txt", "1")
	socket := filepath.Join(t.TempDir(), "s")
	master := exec.Command("ssh", append(h.sshArgs("alice"), "-M", "-N", "-S", socket, "git@127.0.0.1")...)
	if err := master.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Process.Kill(); _ = master.Wait() })
	testkit.Eventually(t, "the shared connection", func() bool {
		return exec.Command("ssh", "-S", socket, "-O", "check", "git@127.0.0.1").Run() == nil
	})
	began, ended := make(chan struct{}), make(chan error, 1)
	h.receiver.set(func(r *receiver) {
		r.post = func(_ context.Context, push catalog.Push) catalog.PostReceiveResult {
			close(began)
			select {
			case <-push.Gone:
				ended <- nil
			case <-time.After(time.Minute):
				ended <- fmt.Errorf("Gone was not closed")
			}
			return catalog.PostReceiveResult{}
		}
	})
	cmd := c.command("push", "origin", "main")
	cmd.Env = append(cmd.Env, "GIT_SSH_COMMAND=ssh -S "+socket+" "+strings.Join(c.env.sshArgs("alice"), " "))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-began
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	if err := exec.Command("ssh", "-S", socket, "-O", "check", "git@127.0.0.1").Run(); err != nil {
		t.Errorf("the shared connection went with the push: %v", err)
	}
}
