//go:build linux

package buildkittest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Timeout is how long what must happen may take.
const Timeout = time.Minute

// AwaitLine waits until a solve says a line with a part.
func AwaitLine(t *testing.T, rec *Recorder, part string) {
	t.Helper()
	timeout := time.After(Timeout)
	for {
		select {
		case line := <-rec.Notify:
			if strings.Contains(line, part) {
				return
			}
		case <-timeout:
			t.Fatalf("no line with %q:\n%s", part, rec.Text())
		}
	}
}

// ProcessRuns reports whether any process on this machine has exactly this argument.
func ProcessRuns(argument string) bool { return len(Processes(argument)) > 0 }

// Processes returns the /proc directories of the processes with this argument.
func Processes(argument string) []string {
	var found []string
	all, err := os.ReadDir("/proc")
	if err != nil {
		panic(err)
	}
	for _, process := range all {
		dir := filepath.Join("/proc", process.Name())
		text, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil {
			continue // no process, or one that ended
		}
		for arg := range bytes.SplitSeq(text, []byte{0}) {
			if string(arg) == argument {
				found = append(found, dir)
				break
			}
		}
	}
	return found
}

// RunReady runs a manager until the test ends and waits until it is ready.
func RunReady(t *testing.T, m Daemon) (stop func()) {
	t.Helper()
	stop = RunDaemon(t, m)
	ctx, cancel := context.WithTimeout(t.Context(), Timeout)
	defer cancel()
	if err := m.Ready(ctx); err != nil {
		t.Fatalf("buildkitd is not ready: %v", err)
	}
	return stop
}

// RunDaemon runs a manager until the test ends.
func RunDaemon(t *testing.T, m Daemon) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("manager: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// Logger is quiet unless FANDOGH_TEST_LOG names a level.
func Logger(name string) hclog.Logger {
	level := hclog.LevelFromString(os.Getenv("FANDOGH_TEST_LOG"))
	if level == hclog.NoLevel {
		level = hclog.Off
	}
	return hclog.New(&hclog.LoggerOptions{Name: name, Level: level, Output: os.Stderr})
}

// Tool finds a program that `make test` builds. A missing one is a failure:
// these tests have no meaning without the real BuildKit.
func Tool(name string) string {
	dirs := []string{os.Getenv("FANDOGH_TEST_TOOLS"), filepath.Join("..", "..", "bin")}
	for _, dir := range dirs {
		if path, err := exec.LookPath(filepath.Join(dir, name)); dir != "" && err == nil {
			return path
		}
	}
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	fmt.Fprintf(os.Stderr, "%s is missing: run `make test`, which builds it, or set FANDOGH_TEST_TOOLS to its directory\n", name)
	os.Exit(1)
	return ""
}

// DaemonOf returns the process of a manager's buildkitd.
func DaemonOf(t *testing.T, dir string) int {
	t.Helper()
	for _, proc := range Processes(filepath.Join(dir, "buildkitd.toml")) {
		if pid, err := strconv.Atoi(filepath.Base(proc)); err == nil {
			return pid
		}
	}
	t.Fatalf("no buildkitd runs in %s", dir)
	return 0
}

// Run runs a program that must succeed.
func Run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(context.Background(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}
