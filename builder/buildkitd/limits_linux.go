package buildkitd

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/docker/go-units"
)

// Limits bound what RUN steps use. The zero value of each is no limit.
type Limits struct {
	Memory int64   // bytes, page cache and files in memory included; nothing is swapped
	PIDs   int64   // processes and threads
	CPUs   float64 // processors' time
}

// stepsWeight is the steps' share of the processors beside everything else on this
// machine, which has 1: git, registry and REST answer while steps compute.
const stepsWeight = 0.5

// cpuPeriod is of CPU quotas, in microseconds.
const cpuPeriod = 100_000

// setting is a file of a control group and what to write there.
type setting struct {
	controller, file, value string
	// optional is what kernels may lack without a limit being lost.
	optional bool
}

// settings are the limits as files of a cgroup, of version 1 or 2.
func (l Limits) settings(v2 bool) []setting {
	var s []setting
	add := func(controller, v1File, v1Value, v2File, v2Value string, optional bool) {
		file, value := v1File, v1Value
		if v2 {
			file, value = v2File, v2Value
		}
		s = append(s, setting{controller, file, value, optional})
	}
	if l.Memory > 0 {
		bytes := strconv.FormatInt(l.Memory, 10)
		add("memory", "memory.limit_in_bytes", bytes, "memory.max", bytes, false)
		add("memory", "memory.memsw.limit_in_bytes", bytes, "memory.swap.max", "0", true)
	}
	if l.PIDs > 0 {
		count := strconv.FormatInt(l.PIDs, 10)
		add("pids", "pids.max", count, "pids.max", count, false)
	}
	if l.CPUs > 0 {
		quota := strconv.FormatInt(int64(l.CPUs*cpuPeriod), 10)
		add("cpu", "cpu.cfs_quota_us", quota, "cpu.max", fmt.Sprint(quota, " ", cpuPeriod), false)
	}
	return s
}

// weight is the setting of stepsWeight.
func weight(v2 bool) setting {
	if v2 {
		return setting{"cpu", "cpu.weight", fmt.Sprint(int(stepsWeight * 100)), true}
	}
	return setting{"cpu", "cpu.shares", fmt.Sprint(int(stepsWeight * 1024)), true}
}

// limitSteps makes the control groups of RUN steps and says what holds.
func (m *Manager) limitSteps() {
	missing := m.cgroups.create(m.cfg.Limits, m.cfg.StepLimits)
	log := func(what string, l Limits) {
		m.log.Info(what, "memory", units.BytesSize(float64(l.Memory)), "pids", l.PIDs, "cpus", l.CPUs)
	}
	log("limits of all RUN steps together (0: no limit)", m.cfg.Limits)
	log("limits of each RUN step (0: no limit)", m.cfg.StepLimits)
	if len(missing) > 0 {
		m.log.Warn("this machine can't enforce all limits of RUN steps, so a step can use up what the daemon needs; enforcing them requires root and writable control groups, as in a unit with Delegate=yes or a privileged container",
			"without", strings.Join(missing, ", "))
	}
}

// cacheSpace are the sizes that BuildKit's garbage collection goes by: at most
// keep, and what the disk must have free, for which all but a tenth of keep may go.
func cacheSpace(keep int64, disk *Disk) map[string]int64 {
	sizes := map[string]int64{}
	if keep > 0 {
		sizes["maxUsedSpace"], sizes["reservedSpace"] = keep, keep/10
	}
	if disk != nil && disk.Free > 0 {
		sizes["minFreeSpace"] = disk.LeaveFree()
	}
	return sizes
}
