// Package programs runs what the benchmarks, the conformance suite and the tests of deploy drive: a
// fandoghd, a plain buildkitd, and stock clients.
package programs

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// startTimeout bounds every wait for something to start.
const startTimeout = 60 * time.Second

// Process is a child that runs until it is stopped.
type Process struct {
	Cmd    *exec.Cmd
	Log    string // file with its output
	exited chan struct{}
}

// Start runs a program whose output goes to the file log. env is added to ours. The
// program is asked to end when ctx does.
func Start(ctx context.Context, log string, env []string, name string, args ...string) (*Process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close() //nolint:errcheck // the child holds its own
	p := &Process{Cmd: exec.CommandContext(context.WithoutCancel(ctx), name, args...), exited: make(chan struct{}), Log: log}
	p.Cmd.Stdout, p.Cmd.Stderr = out, out
	p.Cmd.Env = append(os.Environ(), env...)
	p.Cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	started := make(chan error)
	go func() {
		// The death signal is sent when the thread that forked ends, so that thread lives as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.Cmd.Start()
		started <- err
		if err == nil {
			_ = p.Cmd.Wait() // how it ends is seen in its log
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	// An interruption asks all of them to end at once; Stop waits for each. To one that ended, nothing is sent.
	context.AfterFunc(ctx, func() { _ = p.Cmd.Process.Signal(syscall.SIGTERM) })
	return p, nil
}

// Await asks until ready says yes.
func (p *Process) Await(ctx context.Context, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-p.exited:
			return fmt.Errorf("%s ended: %s", filepath.Base(p.Cmd.Path), p.Tail())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %s", filepath.Base(p.Cmd.Path), p.Tail())
		}
	}
	return nil
}

// Tail is the end of the child's output.
func (p *Process) Tail() string {
	text, _ := os.ReadFile(p.Log)
	return string(text[max(0, len(text)-2000):])
}

// Stop asks the child to end and kills it if it does not. A nil child never started.
func (p *Process) Stop() {
	if p == nil {
		return
	}
	_ = p.Cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(20 * time.Second):
		_ = p.Cmd.Process.Kill()
		<-p.exited
	}
}

// Command runs a program to its end and returns its standard output. With ctx ends
// the whole group: git's ssh would hold the output open.
func Command(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	runtime.LockOSThread() // whose end the child would die of
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s%s", filepath.Base(name), strings.Join(args, " "), err, out.String(), problems.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// FreeAddress returns a loopback address that no process listens on.
func FreeAddress(ctx context.Context) (string, error) {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Listens reports whether a server accepts connections there.
func Listens(ctx context.Context, address string) bool {
	dialer := net.Dialer{Timeout: time.Second}
	c, err := dialer.DialContext(ctx, "tcp", address)
	return err == nil && c.Close() == nil
}
