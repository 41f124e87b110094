package buildkitd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/docker/go-units"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// The kernel's bounds of cpu shares, by which builds are told apart.
const (
	leastShares = 2
	mostShares  = 262_144
)

// buildGroup bounds all steps of one build: in each hierarchy a group above those of the steps, below the one of all
// builds. BuildKit tells the runc script whose a step is by the cpu shares that it asks for: of all that reaches runc with a step, the
// only number that BuildKit's cache does not know the step by. Among the steps of a build, which have the same, they mean nothing.
//
// Where two builds wait for one step, BuildKit asks for the greater shares, and the step is in that build's group.
type buildGroup struct {
	manager *Manager
	shares  uint64
	limits  catalog.BuildLimits

	free    int64            // of the disk, when the build began
	written map[string]int64 // by step that runs
	ended   int64            // bytes written by steps that do not run any more
	full    bool             // its steps were killed; under Manager.buildsMu, as all from free on
	over    bool             // the build has ended
}

var _ builder.StepLimiter = (*Manager)(nil)

// LimitBuild implements builder.StepLimiter.
func (m *Manager) LimitBuild(l catalog.BuildLimits) builder.StepGroup {
	g := &buildGroup{manager: m, limits: l, written: map[string]int64{}}
	if m.cfg.Disk != nil {
		g.free, _, _, _ = m.cfg.Disk.free()
	}
	m.buildsMu.Lock()
	defer m.buildsMu.Unlock()
	for taken := true; taken; _, taken = m.builds[m.nextShares] {
		if m.nextShares++; m.nextShares < leastShares || m.nextShares > mostShares {
			m.nextShares = leastShares
		}
	}
	g.shares = m.nextShares
	m.builds[g.shares] = g
	for _, reason := range exceeded {
		_ = os.Remove(g.mark(reason))
	}
	if missing := m.cgroups.createBuild(g.name(), limitsOf(l)); len(missing) > 0 {
		m.log.Debug("a build runs without some of its limits", "without", strings.Join(missing, ", "))
	}
	return g
}

func limitsOf(l catalog.BuildLimits) Limits {
	return Limits{Memory: l.Memory, PIDs: l.PIDs, CPUs: l.CPUs}
}

func (g *buildGroup) name() string { return buildPrefix + strconv.FormatUint(g.shares, 10) }

// buildPrefix begins the names of builds' groups; shares follow.
const buildPrefix = "build-"

// exceeded are the marks that the runc script leaves of limits.
var exceeded = []string{"memory", "pids"}

// mark is the file by which the runc script says that a step of the build failed that a limit was in the way of.
func (g *buildGroup) mark(limit string) string {
	return filepath.Join(g.manager.marksDir(), strconv.FormatUint(g.shares, 10)+"."+limit)
}

// CPUShares implements builder.StepGroup.
func (g *buildGroup) CPUShares() uint64 { return g.shares }

// Exceeded implements builder.StepGroup.
func (g *buildGroup) Exceeded() builder.Exceeded {
	g.manager.buildsMu.Lock()
	defer g.manager.buildsMu.Unlock()
	e := builder.Exceeded{Disk: g.full}
	if _, err := os.Stat(g.mark("memory")); err == nil {
		e.Memory, e.BuildMemory = true, g.manager.cgroups.usedUpMemory(g.name())
	}
	if text, err := os.ReadFile(g.mark("pids")); err == nil {
		e.PIDs, _ = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	}
	return e
}

// End implements builder.StepGroup.
func (g *buildGroup) End() {
	g.manager.buildsMu.Lock()
	defer g.manager.buildsMu.Unlock()
	g.over = true
	g.remove()
}

// remove gives the group back when nothing is in it. Else watchBuilds does.
func (g *buildGroup) remove() {
	if !g.manager.cgroups.removeBuild(g.name()) {
		return
	}
	for _, limit := range exceeded {
		_ = os.Remove(g.mark(limit))
	}
	delete(g.manager.builds, g.shares)
}

// watchBuilds kills the steps of builds that write more than they may, and removes the groups of builds that have ended.
func (m *Manager) watchBuilds() {
	m.buildsMu.Lock()
	defer m.buildsMu.Unlock()
	for _, g := range m.builds {
		switch {
		case g.over:
			g.remove()
		case g.limits.Disk > 0 && g.overDisk():
			g.full = true
			for _, step := range m.cgroups.stepsOf(g.name()) {
				killGroup(step)
			}
			m.log.Warn("a build was stopped that wrote more than it may", "limit", units.BytesSize(float64(g.limits.Disk)))
		}
	}
}

// overDisk reports whether the steps of a build have written more than they may: by what the kernel has counted for
// their processes, or, where the disk has lost as much, by what lies in their layers: space can be taken without a write.
func (g *buildGroup) overDisk() bool {
	steps := g.manager.cgroups.stepsOf(g.name())
	now := make(map[string]int64, len(steps))
	sum := g.ended
	for _, step := range steps {
		// A process that has ended unseen takes its count along.
		now[step] = max(writtenBy(filepath.Join(step, "cgroup.procs")), g.written[step])
		sum += now[step]
	}
	for step, written := range g.written {
		if _, runs := now[step]; !runs {
			g.ended += written
			sum += written
		}
	}
	g.written = now
	if sum > g.limits.Disk {
		return true
	}
	if g.manager.cfg.Disk == nil {
		return false
	}
	free, _, _, ok := g.manager.cfg.Disk.free()
	if !ok || g.free-free <= g.limits.Disk {
		return false
	}
	g.free = free // looked at again when as much is gone once more
	for _, step := range steps {
		sum += sizeOf(layerOf(step), g.limits.Disk) - now[step]
	}
	return sum > g.limits.Disk
}

// layerOf returns the directory where what a step writes to its image lies; "" where the kernel does not tell.
func layerOf(step string) string {
	procs, _ := os.ReadFile(filepath.Join(step, "cgroup.procs"))
	for pid := range strings.FieldsSeq(string(procs)) {
		mounts, _ := os.ReadFile(filepath.Join("/proc", pid, "mountinfo"))
		for line := range strings.Lines(string(mounts)) {
			before, after, _ := strings.Cut(line, " - overlay ")
			if where := strings.Fields(before); len(where) < 5 || where[4] != "/" {
				continue
			}
			for option := range strings.SplitSeq(strings.TrimSpace(after), ",") {
				if dir, ok := strings.CutPrefix(option, "upperdir="); ok {
					return unescape(dir)
				}
			}
		}
	}
	return ""
}

// sizeOf returns how many bytes of the disk a directory takes, at most about enough.
func sizeOf(dir string, enough int64) (sum int64) {
	const block = 512
	began := time.Now()
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // it went meanwhile
		}
		info, err := entry.Info()
		if err != nil {
			return nil //nolint:nilerr // it went meanwhile
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			sum += stat.Blocks * block
		}
		if sum > enough || time.Since(began) > looking {
			return fs.SkipAll
		}
		return nil
	})
	return sum
}

// looking bounds how long one look at a layer takes.
const looking = time.Second

// createBuild makes a build's groups and sets its limits. It returns the controllers that do not hold them.
func (c *cgroups) createBuild(name string, l Limits) (missing []string) {
	var faults error
	for _, h := range c.hierarchies {
		if !h.bounds() {
			continue // runc makes it when it puts a step there
		}
		dir := filepath.Join(c.group(h), name)
		if err := os.Mkdir(dir, 0o755); err != nil && !isDir(dir) {
			faults = errors.Join(faults, err)
			continue
		}
		if h.v2 {
			enable(dir, h.controllers)
		}
		for _, s := range l.settings(h.v2) {
			if h.holds(s.controller) && writeFile(dir, s.file, s.value) != nil && !s.optional {
				missing = append(missing, s.controller)
			}
		}
	}
	if faults != nil {
		missing = append(missing, fmt.Sprint(faults))
	}
	return missing
}

// stepsOf returns the groups of a build's steps, or, for "", of all steps, in one hierarchy: all have the same steps.
func (c *cgroups) stepsOf(name string) (steps []string) {
	for _, h := range c.hierarchies {
		if !h.made {
			continue
		}
		builds := []string{name}
		if name == "" {
			builds = subdirs(c.group(h))
		}
		for _, build := range builds {
			for _, step := range subdirs(filepath.Join(c.group(h), build)) {
				steps = append(steps, filepath.Join(c.group(h), build, step))
			}
		}
		if len(steps) > 0 {
			return steps
		}
	}
	return nil
}

func subdirs(dir string) (names []string) {
	entries, _ := os.ReadDir(dir) // none while no step has run
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names
}

// removeBuild removes a build's groups, and reports whether all are gone.
func (c *cgroups) removeBuild(name string) bool {
	gone := true
	for _, h := range c.hierarchies {
		dir := filepath.Join(c.group(h), name)
		removeTree(dir)
		gone = gone && !isDir(dir)
	}
	return gone
}

// usedUpMemory reports whether the memory that a build may use was ever used up.
func (c *cgroups) usedUpMemory(name string) bool {
	for _, h := range c.hierarchies {
		if !h.made || !h.holds("memory") {
			continue
		}
		dir := filepath.Join(c.group(h), name)
		if !h.v2 {
			// Its failcnt says nothing where memory and swap have one limit, which fails first.
			return numberIn(dir, "memory.max_usage_in_bytes")+chargeBatch >= numberIn(dir, "memory.limit_in_bytes")
		}
		text, _ := os.ReadFile(filepath.Join(dir, "memory.events.local"))
		for line := range strings.Lines(string(text)) {
			if count, ok := strings.CutPrefix(line, "oom "); ok {
				return strings.TrimSpace(count) != "0"
			}
		}
	}
	return false
}

// chargeBatch is how much the kernel takes at once, in bytes.
const chargeBatch = 64 * 4096

func numberIn(dir, file string) int64 {
	text, _ := os.ReadFile(filepath.Join(dir, file))
	n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n
}
