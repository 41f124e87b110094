package programs

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// The main thread never ends, so it is of no use to the test: it is kept for the main goroutine.
func init() { runtime.LockOSThread() } //nolint:gochecknoinits // later, the main goroutine may be on another thread

// A program outlives the thread that it was started from: one thread or other ends whenever something enters a namespace.
func TestProgramOutlivesThread(t *testing.T) {
	thread := make(chan int)
	var p *Process
	var err error
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this
		p, err = Start(t.Context(), filepath.Join(t.TempDir(), "log"), nil, "sh", "-c",
			`trap "echo told to end" TERM; trap "echo the last; exit" WINCH; echo ready; while :; do sleep 0.01; done`)
		thread <- syscall.Gettid()
	}()
	id := <-thread
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	await := func(what string, ready func() bool) {
		if err := p.Await(t.Context(), ready); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	await("start", func() bool { return strings.Contains(p.Tail(), "ready") })
	await("the thread's end", func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", id))
		return os.IsNotExist(err)
	})
	if err := p.Cmd.Process.Signal(syscall.SIGWINCH); err != nil { // of two signals the lower number comes first
		t.Fatal(err)
	}
	<-p.exited
	if p.Tail() != "ready\nthe last\n" {
		t.Errorf("the program wrote %q", p.Tail())
	}
}
