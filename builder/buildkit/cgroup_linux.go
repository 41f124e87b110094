package buildkit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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

// cgroups are the control groups that all RUN steps are in: in each hierarchy one,
// below this process's own. To buildkitd each is mounted as the root of
// its hierarchy, since runc knows one path for all hierarchies, and this process's own
// differ.
type cgroups struct {
	name        string
	hierarchies []hierarchy
}

// hierarchy is a mounted tree of control groups.
type hierarchy struct {
	mount       string   // where this process sees it
	own         string   // this process's group in it, below mount
	controllers []string // for version 2 those that groups below may have
	v2          bool
	made        bool // the steps' group is there
}

func groupName(id string) string { return "fandogh-" + id }

// findCgroups reads where this process is. A machine without control groups has
// none.
func findCgroups(id string) cgroups {
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	groups, _ := os.ReadFile("/proc/self/cgroup")
	return cgroups{name: groupName(id), hierarchies: parseHierarchies(string(mounts), string(groups))}
}

// parseHierarchies reads /proc/self/mountinfo and /proc/self/cgroup. Of a machine
// with both versions, version 1 has the controllers.
func parseHierarchies(mountinfo, groups string) []hierarchy {
	own := map[string]string{} // by controllers, as "cpu,cpuacct"; "" is version 2
	for line := range strings.Lines(groups) {
		if parts := strings.SplitN(strings.TrimSpace(line), ":", 3); len(parts) == 3 {
			own[parts[1]] = parts[2]
		}
	}
	var v1, v2 []hierarchy
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		where, what := strings.Fields(before), strings.Fields(after)
		if !ok || len(where) < 5 || len(what) < 3 {
			continue
		}
		root, mount := unescape(where[3]), unescape(where[4])
		switch what[0] {
		case "cgroup2":
			if mount == cgroupRoot {
				v2 = append(v2, hierarchy{mount: mount, own: within(mount, root, own[""]), v2: true})
			}
		case "cgroup":
			for controllers, path := range own {
				if controllers != "" && filepath.Dir(mount) == cgroupRoot && hasAll(what[2], controllers) {
					v1 = append(v1, hierarchy{mount: mount, own: within(mount, root, path), controllers: strings.Split(controllers, ",")})
				}
			}
		}
	}
	if len(v1) > 0 {
		return v1
	}
	return v2
}

// cgroupRoot is where BuildKit and runc look.
const cgroupRoot = "/sys/fs/cgroup"

// hasAll tells whether a mount's options name all controllers.
func hasAll(options, controllers string) bool {
	have := strings.Split(options, ",")
	for c := range strings.SplitSeq(controllers, ",") {
		if !slices.Contains(have, c) {
			return false
		}
	}
	return true
}

// within returns where a group is seen when the mount shows the tree from root on.
func within(mount, root, group string) string {
	below, err := filepath.Rel(root, group)
	if err != nil || strings.HasPrefix(below, "..") {
		return mount
	}
	return filepath.Join(mount, below)
}

// unescape undoes mountinfo's octal escapes.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

func (c cgroups) group(h hierarchy) string { return filepath.Join(h.own, c.name) }

// create makes the groups and sets the limits of all steps together. It returns
// the controllers that hold no limit, neither theirs nor a step's own.
func (c *cgroups) create(all, step Limits) (missing []string) {
	var held []string
	for i := range c.hierarchies {
		held = append(held, c.hierarchies[i].create(c.name, all)...)
	}
	for _, s := range append(all.settings(true), step.settings(true)...) {
		if !slices.Contains(held, s.controller) && !slices.Contains(missing, s.controller) {
			missing = append(missing, s.controller)
		}
	}
	return missing
}

// create makes the group of one hierarchy and returns the controllers that are
// there and took their limits.
func (h *hierarchy) create(name string, all Limits) (held []string) {
	if h.v2 {
		h.delegate()
	}
	group := filepath.Join(h.own, name)
	if err := os.Mkdir(group, 0o755); err != nil && !isDir(group) {
		return nil
	}
	h.made = true
	held = h.controllers
	if h.v2 {
		// Steps are two levels below.
		parent := filepath.Join(group, "buildkit")
		held = enable(group, held)
		if err := os.Mkdir(parent, 0o755); err == nil || isDir(parent) {
			held = enable(parent, held)
		}
	} else if slices.Contains(held, "cpuset") {
		copyCpuset(h.own, group)
	}
	for _, s := range append(all.settings(h.v2), weight(h.v2)) {
		if slices.Contains(held, s.controller) && writeFile(group, s.file, s.value) != nil && !s.optional {
			held = slices.DeleteFunc(slices.Clone(held), func(c string) bool { return c == s.controller })
		}
	}
	return held
}

// copyCpuset gives a new group the processors of its parent: a group without any
// runs nothing.
func copyCpuset(from, to string) {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		if text, err := os.ReadFile(filepath.Join(from, file)); err == nil {
			_ = writeFile(to, file, strings.TrimSpace(string(text)))
		}
	}
}

// leaf is the group beside the steps' that the processes of a version 2 group
// go to: a group that gives controllers on may have none itself.
const leaf = "fandogh-daemon"

// limited are the controllers that Limits need.
var limited = []string{"cpu", "memory", "pids"}

// delegate makes controllers ready for groups below our own, as far as may be.
func (h *hierarchy) delegate() {
	if filepath.Base(h.own) == leaf { // a daemon that this one follows made it
		h.own = filepath.Dir(h.own)
	}
	if _, err := os.Stat(filepath.Join(h.own, "cgroup.type")); err == nil { // else it is the root, which may have processes
		if err := vacate(h.own, filepath.Join(h.own, leaf)); err != nil {
			return
		}
	}
	h.controllers = enable(h.own, limited)
}

// vacate moves all processes of a group to another, and those that they start meanwhile.
func vacate(group, to string) error {
	if err := os.Mkdir(to, 0o755); err != nil && !isDir(to) {
		return err
	}
	for range 10 {
		text, err := os.ReadFile(filepath.Join(group, "cgroup.procs"))
		if err != nil {
			return err
		}
		pids := strings.Fields(string(text))
		if len(pids) == 0 {
			return nil
		}
		for _, pid := range pids {
			err = errors.Join(err, writeFile(to, "cgroup.procs", pid))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// enable lets the groups below one have controllers, and returns those they have.
func enable(group string, controllers []string) []string {
	var enabled []string
	for _, c := range controllers {
		if writeFile(group, "cgroup.subtree_control", "+"+c) == nil {
			enabled = append(enabled, c)
		}
	}
	return enabled
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func writeFile(dir, file, text string) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// enter returns the shell commands that mount the groups for buildkitd as the
// roots of their hierarchies, in place of what is mounted: runc would find that first.
func (c *cgroups) enter() string {
	const stage = "/run/runc/cgroup"
	var binds strings.Builder
	for _, h := range c.hierarchies {
		at, from := filepath.Join(stage, filepath.Base(h.mount)), h.own
		if h.v2 {
			at = stage
		}
		if h.made {
			from = c.group(h)
		}
		fmt.Fprintf(&binds, "mkdir -p %s\nmount --bind %s %[1]s\n", shellQuote(at), shellQuote(from))
	}
	if binds.Len() == 0 {
		return ""
	}
	tmpfs := ""
	if !c.hierarchies[0].v2 {
		tmpfs = "mkdir " + stage + "\nmount -t tmpfs -o mode=0755 cgroup " + stage + "\n"
	}
	return tmpfs + binds.String() + fmt.Sprintf("umount -l -R %s\nmount --move %s %[1]s\n", cgroupRoot, stage)
}

// stepGroup is where buildkitd sees a step's group in a hierarchy. It is shell text, with
// the step's name in $id.
func (h hierarchy) stepGroup() string {
	at := cgroupRoot
	if !h.v2 {
		at = filepath.Join(at, filepath.Base(h.mount))
	}
	return shellQuote(at+"/buildkit/") + `"$id"`
}

// stepFile is a file of a step's group, as shell text, or "" without one.
func (c *cgroups) stepFile(controller, file string) string {
	for _, h := range c.hierarchies {
		if h.made && slices.Contains(h.controllers, controller) {
			return h.stepGroup() + "/" + file
		}
	}
	return ""
}

// stepScript returns the shell commands that give a step its limits.
func (c *cgroups) stepScript(l Limits) string {
	var made []string
	var limits strings.Builder
	for _, h := range c.hierarchies {
		for _, s := range l.settings(h.v2) {
			if h.made && slices.Contains(h.controllers, s.controller) {
				made = append(made, h.stepGroup())
				fmt.Fprintf(&limits, "\techo %s > %s/%s\n", shellQuote(s.value), h.stepGroup(), s.file)
			}
		}
	}
	if len(made) == 0 {
		return ""
	}
	return "\tmkdir -p " + strings.Join(slices.Compact(made), " ") + "\n" + limits.String()
}

// stepEvents is where BuildKit looks for the memory.events of a step that failed, to
// tell a kill by the kernel.
const stepEvents = cgroupRoot + `/buildkit/"$id"`

// failureScript returns the shell commands for a step that failed. Version 1
// gets memory.events: its memory.oom_control has the count in the same words.
func (c *cgroups) failureScript(l Limits) string {
	script := ""
	if count := c.stepFile("memory", "memory.oom_control"); count != "" && !c.hierarchies[0].v2 {
		script = fmt.Sprintf("\tmkdir -p %s && ln -s %s %[1]s/memory.events\n", stepEvents, count)
	}
	if refused := c.stepFile("pids", "pids.events"); refused != "" && l.PIDs > 0 {
		script += fmt.Sprintf("\tgrep -q 'max [1-9]' %s && echo 'This step may have %d processes at once and was kept from starting more.' >&2\n", refused, l.PIDs)
	}
	return script
}

// deleteScript returns the case that removes what failureScript made.
func (c *cgroups) deleteScript() string {
	if len(c.hierarchies) == 0 || c.hierarchies[0].v2 {
		return ""
	}
	return "*\" delete \"*)\n\t[ -d " + stepEvents + " ] && rm -r " + stepEvents + "\n\t;;\n"
}

// remove removes the groups, when nothing is in them.
func (c *cgroups) remove() {
	for _, h := range c.hierarchies {
		removeTree(c.group(h))
	}
}

// removeCgroups removes the groups of a daemon that was killed, wherever they are.
func removeCgroups(id string) {
	for _, found := range findGroups(cgroupRoot, groupName(id)) {
		removeTree(found)
	}
}

func findGroups(root, name string) (found []string) {
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == name {
			found = append(found, path)
			return fs.SkipDir
		}
		return nil
	})
	return found
}

// removeTree removes a group and those below it. What is not empty stays.
func removeTree(root string) {
	var dirs []string
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	slices.Reverse(dirs) // children before their parents
	for _, dir := range dirs {
		_ = os.Remove(dir)
	}
}
