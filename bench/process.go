package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

// resident is a process's resident memory in MB: now, and the most since
// resetPeak.
func resident(p *programs.Process) (now, peak float64) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Cmd.Process.Pid))
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kb, _ := strconv.ParseFloat(fields[1], 64)
		switch fields[0] {
		case "VmRSS:":
			now = kb / 1024
		case "VmHWM:":
			peak = kb / 1024
		}
	}
	return now, peak
}

func resetPeak(p *programs.Process) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.Cmd.Process.Pid), []byte("5"), 0)
}

// processorTime is a process's processor time, and that of the children of its whose
// end it has seen, in seconds.
func processorTime(p *programs.Process) (own, ended float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	// In nanoseconds, where the file below has hundredths: the clock that clock_getcpuclockid(3) numbers.
	var clock unix.Timespec
	if err := unix.ClockGettime(int32(^p.Cmd.Process.Pid<<3|2), &clock); err != nil {
		return 0, 0, err
	}
	// The name stands in brackets and may hold anything.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	const ticks = 100 // a second, on every Linux
	for _, field := range fields[13:15] {
		n, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return 0, 0, err
		}
		ended += n / ticks
	}
	return time.Duration(clock.Nano()).Seconds(), ended, nil
}

// children returns the processes that one has started and that still run.
func children(pid int) (all []int) {
	tasks := fmt.Sprintf("/proc/%d/task", pid)
	threads, _ := os.ReadDir(tasks) // gone with its process
	for _, thread := range threads {
		text, _ := os.ReadFile(filepath.Join(tasks, thread.Name(), "children"))
		for field := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				all = append(all, pid)
			}
		}
	}
	return all
}

// killChildren kills what a process started, and what that did.
func killChildren(p *programs.Process) {
	var all []int
	for next := []int{p.Cmd.Process.Pid}; len(next) > 0; next = next[1:] {
		some := children(next[0])
		all, next = append(all, some...), append(next, some...)
	}
	for _, pid := range all {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}
