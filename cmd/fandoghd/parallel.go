package main

import (
	"math"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/config"
)

// Builds wait for networks, disks and each other most of the time; what they run
// out of first is memory.
const (
	memoryPerBuild = 1 << 30
	fewestParallel = 2
	mostParallel   = 32
)

// usableMemory is the limit set on us, or else the machine's memory.
var usableMemory = memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)

// stepsMemory returns how many bytes all RUN steps may use: as configured, or else
// three quarters of the memory that we may use. 0 is no limit.
func stepsMemory(configured config.Size, memory memlimit.Provider) int64 {
	if configured > 0 {
		return int64(configured)
	}
	bytes, err := memory()
	if err != nil || bytes > math.MaxInt64 {
		return 0
	}
	return int64(bytes / 4 * 3) //nolint:gosec // it fits, says the line above
}

// ceiling is the most that any build may use.
func ceiling(c config.Builder) catalog.BuildLimits {
	l := catalog.BuildLimits{CPUs: c.Limits.CPUs, Memory: int64(c.Limits.Memory), PIDs: int64(c.Limits.PIDs), Disk: int64(c.Limits.Disk), Log: int64(c.Limits.Log), Timeout: c.Timeout.Std()}
	if len(c.Addresses) == 0 { // on this machine
		l.Memory = stepsMemory(c.Limits.Memory, usableMemory)
	}
	return l
}

func buildLimits(l config.BuildLimits) catalog.BuildLimits {
	return catalog.BuildLimits{CPUs: l.CPUs, Memory: int64(l.Memory), PIDs: int64(l.PIDs), Disk: int64(l.Disk), Log: int64(l.Log), Timeout: l.Timeout.Std()}
}

// parallelBuilds returns how many builds run at once: as configured, or else as
// many as the memory that we may use, bytes, has room for.
func parallelBuilds(configured int, memory memlimit.Provider) int {
	if configured > 0 {
		return configured
	}
	bytes, err := memory()
	if err != nil {
		return fewestParallel
	}
	return int(min(max(bytes/memoryPerBuild, fewestParallel), mostParallel))
}
