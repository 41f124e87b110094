package gitserver

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// openFiles counts this process's open files below a directory.
func openFiles(t *testing.T, dir string) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("open files can't be counted here: %v", err)
	}
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(to, dir) {
			n++
		}
	}
	return n
}

func (c *counts) none() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.of) == 0
}

// heldStore holds up one of the questions who a user is, until the session ends that asks.
type heldStore struct {
	catalog.Store
	mu      sync.Mutex
	asked   int
	hold    int // which question; 0: none
	reached chan struct{}
	ended   chan error
}

func (s *heldStore) UserByKey(ctx context.Context, fingerprint string) (catalog.User, error) {
	s.mu.Lock()
	s.asked++
	held := s.asked == s.hold
	s.mu.Unlock()
	if held {
		close(s.reached)
		select {
		case <-ctx.Done():
			s.ended <- nil
		case <-time.After(time.Minute):
			s.ended <- fmt.Errorf("the session went on without its client")
		}
	}
	return s.Store.UserByKey(context.WithoutCancel(ctx), fingerprint)
}

// from has the counting begin anew, and a question held up.
func (s *heldStore) from(hold int) (asked int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked, s.asked, s.hold = s.asked, 0, hold
	return asked
}

func startGroup(t *testing.T, cmd *exec.Cmd) (kill func()) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	t.Cleanup(kill)
	return kill
}

// Of clients that are killed nothing is left, whether their pack was on its way or still looked for.
func TestKilledClones(t *testing.T) {
	held := &heldStore{reached: make(chan struct{}), ended: make(chan error, 1)}
	h := newEnv(t, func(c *Config) {
		held.Store = c.Store
		c.Store = held
	})
	c := h.newClone("alice", "app")
	for i := range 8 {
		large := make([]byte, 1<<20)
		_, _ = rand.Read(large)
		c.write(fmt.Sprint("large", i), string(large))
	}
	c.commit("a", "1")
	c.git("push", "-q", "origin", "main")

	quiet := func() bool {
		return h.server.perUser.none() && h.server.connections.none() && openFiles(t, filepath.Join(h.dir, "repos")) == 0
	}
	testkit.Eventually(t, "the end of the push", quiet)
	held.from(0)
	c.git("clone", "-q", h.url("app"), "whole")
	testkit.Eventually(t, "the end of a clone", quiet)
	before := runtime.NumGoroutine()
	ended := func() bool { return quiet() && runtime.NumGoroutine() <= before }

	// The last question of a clone is asked before the objects of the pack are looked for.
	held.from(held.from(0))
	kill := startGroup(t, c.command("clone", "-q", h.url("app"), "never"))
	<-held.reached
	kill()
	if err := <-held.ended; err != nil {
		t.Error(err)
	}
	testkit.Eventually(t, "the end of what was killed before its pack", ended)

	// Clients that have got a part and read no more.
	dir := t.TempDir()
	stalls := filepath.Join(dir, "ssh")
	if err := os.WriteFile(stalls, []byte("#!/bin/sh\nssh "+strings.Join(c.env.sshArgs("alice"), " ")+` "$@" | { dd bs=1k count=300 status=none; : >`+dir+"/stalled-$$; exec sleep 600; }\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	const clients = 4
	kills := make([]func(), clients)
	for i := range kills {
		cmd := c.command("-c", fmt.Sprintf("protocol.version=%d", i%3), "clone", "-q", h.url("app"), fmt.Sprint("never", i))
		cmd.Env = append(cmd.Env, "GIT_SSH_COMMAND="+stalls)
		kills[i] = startGroup(t, cmd)
	}
	testkit.Eventually(t, "clients in the middle of a pack", func() bool {
		files, err := os.ReadDir(dir)
		return err == nil && len(files) == 1+clients
	})
	if n := openFiles(t, filepath.Join(h.dir, "repos")); n != 1 {
		t.Errorf("%d sessions have %d files open, of a repository with one pack", clients, n)
	}
	for _, kill := range kills {
		kill()
	}
	testkit.Eventually(t, "the end of what was killed in the middle of its pack", ended)
}
