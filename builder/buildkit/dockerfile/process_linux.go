package dockerfile

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

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/builder"
)

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
)

// errNotIsolated tells that this kernel, or what this program runs in, gives no
// namespaces.
var errNotIsolated = errors.New("no namespaces")

// process is a child and this end of its socket.
type process struct {
	cmd    *exec.Cmd
	conn   net.Conn
	words  *head
	exited chan struct{} // closed after the process was waited for
}

// startProcess starts a child and waits until it is ready. isolated asks for
// namespaces of its own.
func startProcess(isolated bool) (*process, error) {
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close() //nolint:errcheck // the child has it
	p := &process{conn: ours, words: &head{limit: maxWords}, exited: make(chan struct{})}
	// It ends with the build, by kill, and not by a context.
	p.cmd = exec.CommandContext(context.Background(), "/proc/self/exe")
	p.cmd.Args = []string{childName}
	p.cmd.Dir = "/"
	p.cmd.Env = childEnv(isolated) // and nothing of the daemon's, which may hold secrets
	p.cmd.ExtraFiles = []*os.File{theirs}
	p.cmd.Stderr = p.words
	p.cmd.SysProcAttr = childAttr(isolated)
	if err := p.run(); err != nil {
		if isolated && isRefused(err) {
			err = fmt.Errorf("%w: %w", errNotIsolated, err)
		}
		return nil, errors.Join(err, ours.Close())
	}
	if err := p.awaitReady(); err != nil {
		p.kill()
		<-p.exited
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
func (p *process) run() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // how it ended is in its ProcessState
			close(p.exited)
		}
	}()
	return <-started
}

func (p *process) awaitReady() error {
	if err := p.conn.SetReadDeadline(time.Now().Add(startTimeout)); err != nil {
		return err
	}
	if _, err := io.ReadFull(p.conn, make([]byte, 1)); err != nil {
		return fmt.Errorf("it did not become ready: %w", err)
	}
	return p.conn.SetReadDeadline(time.Time{})
}

// kill ends the child at once. It may be called often.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.conn.Close()
}

func (p *process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// failure says why a child ended that this process did not kill.
func (p *process) failure(log hclog.Logger) error {
	state, words := p.cmd.ProcessState, p.words.String()
	err := fmt.Errorf("the Dockerfile's process ended: %s: %s", state, words)
	status, ok := state.Sys().(syscall.WaitStatus)
	switch {
	case !ok:
	// The kernel counts for the limit in ticks, and otherwise here.
	case status.Signaled() && state.UserTime()+state.SystemTime() >= maxTime/2:
		return userError(tooMuchTime)
	case ranOut(words) && (status.ExitStatus() == exitCrash || status.Signaled()):
		return userError(tooMuchMemory)
	case status.ExitStatus() == exitCrash:
		log.Error("BuildKit's Dockerfile frontend crashed", "error", err)
		first, _, _ := strings.Cut(words, "\n")
		return userError(crashed, builder.CleanLine(first))
	}
	return infrastructure(err, "the process that interprets the Dockerfile ended: %s", state)
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

func socketpair() (ours net.Conn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	file := os.NewFile(uintptr(fds[0]), "Dockerfile process")
	defer file.Close() //nolint:errcheck // net.FileConn duplicates it
	theirs = os.NewFile(uintptr(fds[1]), "daemon")
	if ours, err = net.FileConn(file); err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return ours, theirs, nil
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
