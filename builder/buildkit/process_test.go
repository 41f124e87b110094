//go:build linux

package buildkit

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const patience = 15 * time.Second

// eventually polls until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func awaitLine(t *testing.T, rec *recorder, part string) {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case line := <-rec.notify:
			if strings.Contains(line, part) {
				return
			}
		case <-timeout:
			t.Fatalf("no line with %q:\n%s", part, rec.text())
		}
	}
}

// processRuns tells whether any process on this machine has exactly this argument.
func processRuns(argument string) bool { return len(processes(argument)) > 0 }

// processes returns the /proc directories of the processes with this argument.
func processes(argument string) []string {
	var found []string
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for arg := range bytes.SplitSeq(text, []byte{0}) {
			if string(arg) == argument {
				found = append(found, filepath.Dir(file))
				break
			}
		}
	}
	return found
}

// runManager runs a manager until the test ends and waits until it is ready.
func runManager(t *testing.T, m *Manager) (stop func()) {
	t.Helper()
	stop = startManager(t, m)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := m.Ready(ctx); err != nil {
		t.Fatalf("buildkitd is not ready: %v", err)
	}
	return stop
}

// startManager runs a manager until the test ends.
func startManager(t *testing.T, m *Manager) (stop func()) {
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
