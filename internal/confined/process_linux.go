// Package confined runs a part of this program in a process of its own, for input that strangers made: that can ask for any amount of memory
// and time, and a fault in what reads it must not end the daemon. The process has limits, and on Linux, where the kernel lets it, no file
// and no network of the machine: a socket to the daemon, and the files of one directory if it is given any.
//
// The process is this program, started again: main must look first whether it is a Child.
package confined

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Child is a part of this program that runs in a process of its own.
type Child struct {
	Name      string        // the only argument of the process
	Memory    uint64        // bytes it may have besides what it starts with
	Time      time.Duration // of processor, from LimitTime on
	Open      uint64        // files that it may have open, besides a few
	Temporary uint64        // bytes of files it may write, all together in memory in the directory TemporaryDir of its root; 0: none
}

// TemporaryDir is the directory of a child's files in which it may write, if at all. Who gives a child files makes it.
const TemporaryDir = "tmp"

const (
	// startTimeout is from fork to the child's first byte, on a busy machine.
	startTimeout = 20 * time.Second
	// maxWords bounds what is kept of what a child says on standard error: a crash
	// says what it is first.
	maxWords = 16 << 10
	// exitCrash is how the Go runtime ends a process that panics or has no memory.
	exitCrash = 2
	// exitNotIsolated is how a child ends that can't leave the machine's files.
	exitNotIsolated = 3
	// socketFD is where a child finds its socket.
	socketFD = 3
)

// errNotIsolated tells that this kernel, or what this program runs in, gives no
// namespaces.
var errNotIsolated = errors.New("no namespaces")

// Is reports whether this process is such a child.
func (c Child) Is() bool { return len(os.Args) == 1 && os.Args[0] == c.Name }

// Main runs a child's work, which begins with Confine and then writes one byte to the socket, and ends the process.
func (c Child) Main(work func(conn net.Conn) error) {
	os.Exit(exitOf(runChild(work)))
}

func runChild(work func(conn net.Conn) error) error {
	file := os.NewFile(socketFD, "daemon")
	conn, err := net.FileConn(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return work(conn)
}

func exitOf(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	if errors.Is(err, errNotIsolated) {
		return exitNotIsolated
	}
	return 1
}

// Process is a child and the daemon's end of its socket.
type Process struct {
	Conn   *net.UnixConn
	Exited chan struct{} // closed after the process was waited for

	child Child
	cmd   *exec.Cmd
	words *head
}

// Start starts a child and waits until it has written its first byte. root is a directory of files that it may read; empty: it has
// none. Where there are no namespaces, warn is told why, and the child has limits alone.
func (c Child) Start(root string, warn func(error)) (*Process, error) {
	p, err := c.start(true, root)
	if !errors.Is(err, errNotIsolated) {
		return p, err
	}
	warn(err)
	return c.StartWithoutNamespaces(root)
}

// StartWithoutNamespaces starts a child with limits, but with the machine's files and network.
func (c Child) StartWithoutNamespaces(root string) (*Process, error) { return c.start(false, root) }

func (c Child) start(isolated bool, root string) (*Process, error) {
	ours, theirs, err := Socketpair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close() //nolint:errcheck // the child has it
	p := &Process{child: c, Conn: ours, words: &head{limit: maxWords}, Exited: make(chan struct{})}
	// It ends by Kill, and not by a context.
	p.cmd = exec.CommandContext(context.Background(), "/proc/self/exe")
	p.cmd.Args = []string{c.Name}
	p.cmd.Dir = "/"
	p.cmd.Env = environment(isolated, root) // and nothing of the daemon's, which may hold secrets
	p.cmd.ExtraFiles = []*os.File{theirs}
	p.cmd.Stderr = p.words
	p.cmd.SysProcAttr = attributes(isolated)
	if err := p.run(); err != nil {
		if isolated && isRefused(err) {
			err = fmt.Errorf("%w: %w", errNotIsolated, err)
		}
		return nil, errors.Join(err, ours.Close())
	}
	if err := p.awaitReady(); err != nil {
		p.Kill()
		<-p.Exited
		if p.cmd.ProcessState.ExitCode() == exitNotIsolated {
			err = errNotIsolated
		}
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(p.words.String()))
	}
	return p, nil
}

// isRefused reports whether clone was refused new namespaces, and not something else.
func isRefused(err error) bool {
	for _, number := range []error{unix.EPERM, unix.EACCES, unix.EINVAL, unix.ENOSYS, unix.ENOSPC, unix.EUSERS} {
		if errors.Is(err, number) {
			return true
		}
	}
	return false
}

// run starts the process. Its death signal is sent when the thread that forked ends,
// so that thread lives as long as the child.
func (p *Process) run() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // how it ended is in its ProcessState
			close(p.Exited)
		}
	}()
	return <-started
}

func (p *Process) awaitReady() error {
	if err := p.Conn.SetReadDeadline(time.Now().Add(startTimeout)); err != nil {
		return err
	}
	if _, err := io.ReadFull(p.Conn, make([]byte, 1)); err != nil {
		return fmt.Errorf("it did not become ready: %w", err)
	}
	return p.Conn.SetReadDeadline(time.Time{})
}

// Kill ends the child at once. It may be called often.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	_ = p.Conn.Close()
}

// Pid is the number of the process.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Ended reports whether the child has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.Exited:
		return true
	default:
		return false
	}
}

// End says how a child ended.
type End struct {
	State string // "exit status 1"
	Words string // the beginning of what it wrote to standard error
	Cause Cause
}

// Cause is why a child ended by itself.
type Cause string

// Causes.
const (
	Memory Cause = "memory" // it needed more than it may have
	Time   Cause = "time"   // of processor, likewise
	Crash  Cause = "crash"  // a panic
	Other  Cause = "other"
)

// End waits until the child has ended, and says how it did, if it was not by Kill.
func (p *Process) End() End {
	<-p.Exited
	state := p.cmd.ProcessState
	end := End{State: state.String(), Words: p.words.String(), Cause: Other}
	status, ok := state.Sys().(syscall.WaitStatus)
	switch {
	case !ok:
	// The kernel counts for the limit in ticks, and otherwise here.
	case status.Signaled() && state.UserTime()+state.SystemTime() >= p.child.Time/2:
		end.Cause = Time
	case ranOut(end.Words) && (status.ExitStatus() == exitCrash || status.Signaled()):
		end.Cause = Memory
	case status.ExitStatus() == exitCrash:
		end.Cause = Crash
	}
	return end
}

// ranOut reports whether the Go runtime, or libc when it makes a thread, got no memory.
func ranOut(words string) bool {
	for _, text := range []string{"out of memory", "cannot allocate memory", "pthread_create failed"} {
		if strings.Contains(words, text) {
			return true
		}
	}
	return false
}

// Socketpair returns the two ends of a connection, one as a process is given it.
func Socketpair() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	file := os.NewFile(uintptr(fds[0]), "child")
	defer file.Close() //nolint:errcheck // net.FileConn duplicates it
	theirs = os.NewFile(uintptr(fds[1]), "daemon")
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return conn.(*net.UnixConn), theirs, nil
}

// head keeps the first bytes that are written.
type head struct {
	limit int
	mu    sync.Mutex
	text  bytes.Buffer
}

func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text.Write(p[:min(len(p), h.limit-h.text.Len())])
	return len(p), nil
}

func (h *head) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}
