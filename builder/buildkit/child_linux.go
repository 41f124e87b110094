package buildkit

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/builder"
)

// lastLines is how many lines of buildkitd's log an error about it shows.
const lastLines = 12

// enter makes the new mount namespace buildkitd's own and becomes buildkitd. The
// state of runc and of the network plugins lives in memory there: nothing of it
// means anything once buildkitd is gone.
const enter = `set -e
mount --make-rprivate /
mount -t proc proc /proc
for dir in /run/runc /var/lib/cni; do
  mkdir -p $dir
  mount -t tmpfs -o mode=0700 tmpfs $dir
done
exec "$@"`

// child is a running buildkitd. It is process 1 of its own process and mount
// namespaces, so that when it dies, however it dies, the kernel kills every RUN
// process and drops every mount. It dies itself when this process does.
type child struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed after the process was waited for
	err    error         // of Wait, valid once exited is closed

	mu   sync.Mutex
	last []string
}

func startChild(binary string, args []string, log hclog.Logger) (*child, error) {
	c := &child{exited: make(chan struct{})}
	// It ends by stop, in order, and not by a context.
	c.cmd = exec.CommandContext(context.Background(), "/bin/sh", append([]string{"-c", enter, "buildkitd", binary}, args...)...)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
		Setpgid:    true, // a Ctrl-C at the terminal is for the daemon, which stops its child in order
	}
	// The log of a build is bounded by Fandogh, which says so in the log.
	c.cmd.Env = append(c.cmd.Environ(), "BUILDKIT_STEP_LOG_MAX_SIZE=-1", "BUILDKIT_STEP_LOG_MAX_SPEED=-1")
	c.cmd.WaitDelay = time.Second
	out, in := io.Pipe()
	c.cmd.Stdout, c.cmd.Stderr = in, in
	logged := make(chan struct{})
	go func() {
		defer close(logged)
		c.forward(out, log)
	}()

	started := make(chan error)
	go func() {
		// The death signal is sent when the thread that forked ends, so this
		// thread lives as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			c.err = c.cmd.Wait()
		}
		_ = in.Close()
		<-logged
		close(c.exited)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start buildkitd: %w", err)
	}
	return c, nil
}

// stop ends the child: politely first, by force after the time-out.
func (c *child) stop(timeout time.Duration) {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.exited:
		return
	case <-time.After(timeout):
	}
	_ = c.cmd.Process.Kill()
	<-c.exited
}

// failure says how the child ended, with the last it said.
func (c *child) failure() error {
	<-c.exited
	c.mu.Lock()
	defer c.mu.Unlock()
	how := "exit status 0"
	if c.err != nil {
		how = c.err.Error()
	}
	if len(c.last) == 0 {
		return fmt.Errorf("buildkitd ended: %s", how)
	}
	return fmt.Errorf("buildkitd ended: %s; it said last:\n  %s", how, strings.Join(c.last, "\n  "))
}

func (c *child) forward(out io.Reader, log hclog.Logger) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := builder.CleanLine(lines.Text())
		c.mu.Lock()
		if len(c.last) == lastLines {
			c.last = c.last[1:]
		}
		c.last = append(c.last, line)
		c.mu.Unlock()
		if worthWarning(line) {
			log.Warn(line)
		} else {
			log.Debug(line)
		}
	}
	_, _ = io.Copy(io.Discard, out) // a line beyond all bounds must not block the child
}

// worthWarning picks what concerns the operator. A build that fails is an error
// to buildkitd as well, but that belongs to whoever asked for it and is in the
// build's log. So does a file that a frontend looks for in vain.
func worthWarning(line string) bool {
	return strings.Contains(line, "level=fatal") || strings.Contains(line, "level=error") &&
		!strings.Contains(line, "Control/Solve returned error") && !strings.Contains(line, ".LLBBridge/")
}
