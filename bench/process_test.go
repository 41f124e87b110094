package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

// A program whose child holds its output open, as git's ssh does, ends with it.
func TestCommandsEndWithTheirChildren(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := programs.Command(ctx, "", nil, "sh", "-c", `sleep 1000 & echo $! >"$0.new"; mv "$0.new" "$0"; wait`, pid)
		ended <- err
	}()
	child := readPID(ctx, t, pid)
	cancel()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("no error of a command that was killed")
		}
	case <-time.After(time.Minute):
		t.Fatal("the command goes on")
	}
	awaitEnd(t, child)
}

func TestChildrenOfChildrenAreKilled(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	// The inner shell is a session of its own, as sshd's are.
	p, err := programs.Start(t.Context(), pid+".log", nil, "sh", "-c", `setsid sh -c 'sleep 1000 & echo $! >"$0.new"; mv "$0.new" "$0"; wait' "$0"; sleep 1000`, pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	child := readPID(t.Context(), t, pid)
	killChildren(p)
	awaitEnd(t, child)
}

func readPID(ctx context.Context, t *testing.T, file string) int {
	t.Helper()
	for {
		text, err := os.ReadFile(file)
		if err == nil {
			pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
		if pause(ctx, 5*time.Millisecond) != nil {
			t.Fatal("no process ID came")
		}
	}
}

// awaitEnd waits until a process is gone, or a zombie that its parent has not waited for yet.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	for until := time.Now().Add(time.Minute); syscall.Kill(pid, 0) == nil; {
		stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if _, state, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(state, "Z") {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("process %d lives on", pid)
		}
		_ = pause(t.Context(), 5*time.Millisecond)
	}
}
