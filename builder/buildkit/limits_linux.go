package buildkit

import (
	"strings"

	"github.com/docker/go-units"
)

// limitSteps makes the control groups of RUN steps and says what holds.
func (m *Manager) limitSteps() {
	missing := m.cgroups.create(m.cfg.Limits, m.cfg.StepLimits)
	log := func(what string, l Limits) {
		m.log.Info(what, "memory", units.BytesSize(float64(l.Memory)), "pids", l.PIDs, "cpus", l.CPUs)
	}
	log("limits of all RUN steps together, 0 for none", m.cfg.Limits)
	log("limits of each RUN step, 0 for none", m.cfg.StepLimits)
	if len(missing) > 0 {
		m.log.Warn("this machine can't hold RUN steps to all limits, so that one can take what the daemon needs: it takes root and control groups that may be written, as in a unit with Delegate=yes or a privileged container",
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
		sizes["minFreeSpace"] = disk.Free
	}
	return sizes
}
