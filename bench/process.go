package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

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
