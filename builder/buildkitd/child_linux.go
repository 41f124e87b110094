package buildkitd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkitd/netspace"
)

// lastLines is how many lines of buildkitd's log an error about it shows.
const lastLines = 12

// oomScore is what buildkitd adds to the kernel's choice of what to kill when memory
// ends: it goes before this process, and RUN steps before it.
const oomScore = 500

// enter makes the new mount namespace buildkitd's own and becomes buildkitd. The
// state of runc and of the network plugins lives in memory there: nothing of it
// means anything once buildkitd is gone.
const enter = `set -e
echo %d > /proc/self/oom_score_adj
mount --make-rprivate /
mount -t proc proc /proc
for dir in /run/runc /var/lib/cni; do
  mkdir -p $dir
  mount -t tmpfs -o mode=0700 tmpfs $dir
done
%s
exec "$@"`

// child is a running buildkitd. It is process 1 of its own process and mount
// namespaces, so that when it dies, however it dies, the kernel kills every RUN
// process and drops every mount. It dies itself when this process does.
type child struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed after the process was waited for
	err    error         // of Wait, valid once exited is closed

	mu    sync.Mutex
	last  []string
	crash crash
}

// stepsInMemory are shell commands that keep the descriptions of running steps off the disk: runc reads them, and they
// hold the secrets that steps have as variables. BuildKit has a directory for each kind of snapshots.
func (m *Manager) stepsInMemory() string {
	var commands strings.Builder
	for _, snapshotter := range []string{"overlayfs", "native"} {
		dir := shellQuote(filepath.Join(m.rootDir(), "runc-"+snapshotter, "executor"))
		fmt.Fprintf(&commands, "mkdir -p %s\nmount -t tmpfs -o mode=0711 tmpfs %s\n", dir, dir)
	}
	return commands.String()
}

// ours begin the variables that are for this process alone. Some say where it sends its traces: buildkitd would send its own there, which are of no
// push, and ends when it does not know an exporter. Others are of the systemd that started it.
var ours = []string{"OTEL_", "JAEGER_TRACE=", "NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_"}

// withoutOurs leaves out what is for this process alone.
func withoutOurs(environ []string) []string {
	return slices.DeleteFunc(environ, func(variable string) bool {
		return slices.ContainsFunc(ours, func(begin string) bool { return strings.HasPrefix(variable, begin) })
	})
}

// startChild runs buildkitd in a named network namespace, with variables beside this process's
// environment, but for those that are for it alone. The shell commands in mounts are
// the last in its new mount namespace before it starts.
func startChild(network, binary string, args, variables []string, mounts string, log hclog.Logger) (*child, error) {
	c := &child{exited: make(chan struct{}), crash: crash{goroutines: -1}}
	// It ends by stop, in order, and not by a context.
	c.cmd = exec.CommandContext(context.Background(), "/bin/sh", append([]string{"-c", fmt.Sprintf(enter, oomScore, mounts), "buildkitd", binary}, args...)...)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
		Setpgid:    true, // a Ctrl-C at the terminal is for the daemon, which stops its child in order
	}
	c.cmd.Env = append(withoutOurs(c.cmd.Environ()), variables...)
	c.cmd.WaitDelay = time.Second
	out, in := io.Pipe()
	c.cmd.Stdout, c.cmd.Stderr = in, in
	logged := make(chan struct{})
	go func() {
		defer close(logged)
		c.forward(out, log)
	}()

	started := make(chan error, 2)
	go func() {
		// The death signal is sent when the thread that forked ends, so that thread
		// lives as long as the child.
		err := netspace.Do(network, func() error {
			err := c.cmd.Start()
			started <- err
			if err == nil {
				c.err = c.cmd.Wait()
			}
			return nil
		})
		started <- err // the second, unless there is no such namespace
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

func (c *child) hasExited() bool {
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}

// end kills a child that did not do what it should, and says so. One that had
// ended by itself is reported as failure does.
func (c *child) end(why string) error {
	if c.hasExited() {
		return c.failure()
	}
	_ = c.cmd.Process.Kill()
	end := c.failure()
	end.how = why + " and was killed"
	return end
}

// childError is how a buildkitd ended.
type childError struct {
	how        string
	last       []string // that it said
	inDatabase bool     // it crashed in the code of its databases
}

// Error says how it ended, with the last it said.
func (e *childError) Error() string {
	if len(e.last) == 0 {
		return "buildkitd ended: " + e.how
	}
	return fmt.Sprintf("buildkitd ended: %s; it said last:\n  %s", e.how, strings.Join(e.last, "\n  "))
}

// failure waits for the child's end and says how it was.
func (c *child) failure() *childError {
	<-c.exited
	c.mu.Lock()
	defer c.mu.Unlock()
	how := "exit status 0"
	if c.err != nil {
		how = c.err.Error()
	}
	return &childError{how: how, last: c.last, inDatabase: c.crash.inDatabase}
}

// crash follows what the Go runtime writes when a program crashes: the reason, and
// then first the goroutine that crashed.
type crash struct {
	goroutines int // seen since the reason; -1 before
	inDatabase bool
}

func (c *crash) read(line string) {
	switch {
	case strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "unexpected fault address"):
		c.goroutines = 0
	case c.goroutines >= 0 && strings.HasPrefix(line, "goroutine "):
		c.goroutines++
	case c.goroutines == 1 && strings.HasPrefix(line, "go.etcd.io/bbolt."):
		c.inDatabase = true
	}
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
		c.crash.read(line)
		c.mu.Unlock()
		if worthWarning(line) {
			log.Warn(line)
		} else {
			log.Debug(line)
		}
	}
	_, _ = io.Copy(io.Discard, out) // a line beyond all bounds must not block the child
}

// answered matches what buildkitd writes of a call that it answered with an error: a
// build that failed, or a file that a frontend looked for and that is not there.
var answered = regexp.MustCompile(`moby\.buildkit\.v1\.(Control/Solve|frontend\.LLBBridge/\w+) returned error`)

// worthWarning picks what concerns the operator. A build that fails is an error
// to buildkitd as well, but that belongs to the user who asked for it and is in the
// build's log. So does a file that a frontend looks for in vain.
func worthWarning(line string) bool {
	return strings.Contains(line, "level=fatal") || strings.Contains(line, "level=error") && !answered.MatchString(line)
}
