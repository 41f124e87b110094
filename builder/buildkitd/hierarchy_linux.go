package buildkitd

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// hierarchy is a mounted tree of control groups.
type hierarchy struct {
	mount       string   // where this process sees it
	own         string   // this process's group in it, below mount
	controllers []string // for version 2 those that groups below may have
	v2          bool
	made        bool // the steps' group is there
}

func (h *hierarchy) holds(controller string) bool { return slices.Contains(h.controllers, controller) }

// bounds reports whether any limits of steps are kept in this hierarchy.
func (h *hierarchy) bounds() bool {
	return h.made && (h.holds("memory") || h.holds("pids") || h.holds("cpu"))
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

// MissingControllers returns the controllers of control groups, of those that limits need, that this process has not and a service of this machine's
// systemd would not be given.
func MissingControllers() (missing []string) {
	_, err := os.Stat("/run/systemd/system")
	return missingOf(findCgroups("").hierarchies, err == nil)
}

func missingOf(hierarchies []hierarchy, systemd bool) (missing []string) {
	has := map[string]bool{}
	for _, h := range hierarchies {
		controllers := h.controllers
		if h.v2 {
			of := h.own
			if systemd { // which gives a group what is asked for it
				of = h.mount
			}
			text, _ := os.ReadFile(filepath.Join(of, "cgroup.controllers"))
			controllers = strings.Fields(string(text))
		}
		for _, c := range controllers {
			has[c] = true
		}
	}
	for _, c := range []string{"memory", "pids", "cpu"} {
		if !has[c] {
			missing = append(missing, c)
		}
	}
	return missing
}

// cgroupRoot is where BuildKit and runc look.
const cgroupRoot = "/sys/fs/cgroup"

// hasAll reports whether a mount's options name all controllers.
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
