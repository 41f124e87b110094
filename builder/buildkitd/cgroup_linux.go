package buildkitd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// anyBuild is the group of steps of which is not known whose they are.
const anyBuild = "buildkit"

// cgroups are the control groups that all RUN steps are in: in each hierarchy one,
// below this process's own. To buildkitd each is mounted as the root of
// its hierarchy, since runc knows one path for all hierarchies, and this process's own
// differ.
type cgroups struct {
	name        string
	hierarchies []hierarchy
}

func (c *cgroups) group(h hierarchy) string { return filepath.Join(h.own, c.name) }

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
		// Steps are two levels below: in the group of their build, or here.
		parent := filepath.Join(group, anyBuild)
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
	available, _ := os.ReadFile(filepath.Join(h.own, "cgroup.controllers"))
	h.controllers = enable(h.own, strings.Fields(string(available)))
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
