package main

import (
	"math"

	"github.com/KimMachineGun/automemlimit/memlimit"

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
