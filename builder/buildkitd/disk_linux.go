package buildkitd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/buildkit/client"
)

const (
	// diskInterval lets no disk write the last share between two looks.
	diskInterval = 100 * time.Millisecond
	// buildLooks is how many of those looks there are to one at what each build writes.
	buildLooks = 10
	// recovery is what BuildKit takes to give back what a killed step wrote.
	recovery = time.Second
	// hopeless is the pause when no step can be blamed for the full disk.
	hopeless = 10 * time.Second
)

// watchDisk keeps steps from filling the disk and builds to their limits of it, until ctx ends, and notes when it is full.
func (m *Manager) watchDisk(ctx context.Context) {
	look := time.NewTicker(diskInterval)
	defer look.Stop()
	var looks int
	var recovered time.Time // what a killed step wrote is given back then
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if looks++; looks%buildLooks == 0 {
			m.watchBuilds()
		}
		m.cfg.Disk.IsFull()
		ofBytes, ofFiles, left := m.cfg.Disk.shortage(killShare)
		if !ofBytes && !ofFiles || time.Now().Before(recovered) {
			continue
		}
		wait := hopeless
		if step, written := m.cgroups.heaviestWriter(); written > 0 {
			m.cfg.Disk.kills.Add(1)
			killGroup(step)
			m.log.Error("the disk is nearly full; the step that wrote most was killed",
				"free", left, "written", units.BytesSize(float64(written)))
			wait = recovery
		}
		m.prune(ctx, ofFiles)
		recovered = time.Now().Add(wait)
	}
}

// prune has BuildKit remove what no build uses, files of killed steps first.
func (m *Manager) prune(ctx context.Context, all bool) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	err := m.ask(ctx, func(c *client.Client, _ []*client.WorkerInfo) error { return m.cfg.Disk.prune(ctx, c, all) })
	if err != nil {
		m.log.Warn("BuildKit failed to free disk space", "error", err)
	}
}

// heaviestWriter returns the group of the step that wrote most to disks, and how
// many bytes.
func (c *cgroups) heaviestWriter() (group string, written int64) {
	for _, step := range c.stepsOf("") {
		if n := writtenBy(filepath.Join(step, "cgroup.procs")); n > written {
			group, written = step, n
		}
	}
	return group, written
}

// writtenBy sums what a group's processes, and those that they waited for, wrote.
func writtenBy(procs string) (sum int64) {
	text, _ := os.ReadFile(procs)
	for _, pid := range strings.Fields(string(text)) {
		counts, _ := os.ReadFile(filepath.Join("/proc", pid, "io"))
		for line := range strings.Lines(string(counts)) {
			var n int64
			if _, err := fmt.Sscanf(line, "write_bytes: %d", &n); err == nil {
				sum += n
			} else if _, err := fmt.Sscanf(line, "cancelled_write_bytes: %d", &n); err == nil {
				sum -= n
			}
		}
	}
	return sum
}

func killGroup(group string) {
	text, _ := os.ReadFile(filepath.Join(group, "cgroup.procs"))
	for _, field := range strings.Fields(string(text)) {
		if pid, err := strconv.Atoi(field); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
