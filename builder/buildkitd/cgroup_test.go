//go:build linux

package buildkitd

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestHierarchies(t *testing.T) {
	const (
		v1 = `30 24 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw
32 30 0:28 / /sys/fs/cgroup/systemd rw,nosuid - cgroup cgroup rw,xattr,name=systemd
33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:11 - cgroup cgroup rw,cpu,cpuacct
34 30 0:30 /docker/abc /sys/fs/cgroup/memory ro,nosuid shared:12 - cgroup cgroup rw,memory
35 30 0:30 / /elsewhere/memory rw - cgroup cgroup rw,memory
`
		v2 = "30 24 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
	)
	for name, test := range map[string]struct {
		mounts, groups string
		want           []hierarchy
	}{
		"version 1": {v1, "4:memory:/docker/abc/own\n3:cpu,cpuacct:/system.slice/fandogh.service\n1:name=systemd:/system.slice/fandogh.service\n0::/\n", []hierarchy{
			{mount: "/sys/fs/cgroup/systemd", own: "/sys/fs/cgroup/systemd/system.slice/fandogh.service", controllers: []string{"name=systemd"}},
			{mount: "/sys/fs/cgroup/cpu,cpuacct", own: "/sys/fs/cgroup/cpu,cpuacct/system.slice/fandogh.service", controllers: []string{"cpu", "cpuacct"}},
			{mount: "/sys/fs/cgroup/memory", own: "/sys/fs/cgroup/memory/own", controllers: []string{"memory"}},
		}},
		"version 2":                {v2, "0::/system.slice/a\\x2db.service\n", []hierarchy{{mount: cgroupRoot, own: `/sys/fs/cgroup/system.slice/a\x2db.service`, v2: true}}},
		"version 2 in a container": {v2, "0::/\n", []hierarchy{{mount: cgroupRoot, own: cgroupRoot, v2: true}}},
		"outside of what is seen":  {strings.Replace(v2, "0:26 /", "0:26 /docker/abc", 1), "0::/other\n", []hierarchy{{mount: cgroupRoot, own: cgroupRoot, v2: true}}},
		"none":                     {"", "", nil},
	} {
		if got := parseHierarchies(test.mounts, test.groups); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %+v,\nwant %+v", name, got, test.want)
		}
	}
}

// fakeGroup makes a directory with the files of a version 2 group. As the kernel
// does, it has those that it has, and no others.
func fakeGroup(t *testing.T, dir string, files ...string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if err := os.WriteFile(filepath.Join(dir, file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func haveControllers(t *testing.T, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "cgroup.controllers"), []byte("cpu io memory pids\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestVersion2Groups(t *testing.T) {
	files := []string{"cgroup.type", "cgroup.procs", "cgroup.subtree_control", "memory.max", "memory.swap.max", "pids.max", "cpu.max", "cpu.weight"}
	limits := Limits{Memory: 1 << 30, PIDs: 100, CPUs: 2}
	for name, test := range map[string]struct {
		below   string // the own group, in the fake root
		remove  string // a file that the steps' group lacks
		missing []string
	}{
		"all":             {below: "unit"},
		"a second daemon": {below: filepath.Join("unit", leaf)},
		"no swap":         {below: "unit", remove: "memory.swap.max"},
		"no memory":       {below: "unit", remove: "memory.max", missing: []string{"memory"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			unit, steps := filepath.Join(root, "unit"), filepath.Join(root, "unit", "fandogh-x")
			for _, dir := range []string{unit, filepath.Join(unit, leaf), steps, filepath.Join(steps, "buildkit")} {
				fakeGroup(t, dir, files...)
			}
			if test.remove != "" {
				_ = os.Remove(filepath.Join(steps, test.remove))
			}
			haveControllers(t, unit)
			c := cgroups{name: "fandogh-x", hierarchies: []hierarchy{{mount: root, own: filepath.Join(root, test.below), v2: true}}}
			if missing := c.create(limits, limits); !reflect.DeepEqual(missing, test.missing) {
				t.Errorf("missing are %v, want %v", missing, test.missing)
			}
			for file, want := range map[string]string{"pids.max": "100", "cpu.max": "200000 100000", "cpu.weight": "50"} {
				if text, err := os.ReadFile(filepath.Join(steps, file)); err != nil || string(text) != want {
					t.Errorf("%s is %q, want %q: %v", file, text, want, err)
				}
			}
			if enter := c.enter(); !strings.Contains(enter, "mount --bind '"+steps+"' '/run/runc/cgroup'") || strings.Contains(enter, "tmpfs") {
				t.Errorf("buildkitd mounts:\n%s", enter)
			}
		})
	}
}

// What the kernel of this machine may not have: a build's group of version 2 is made with its limits, and told from its
// siblings by its own events.
func TestVersion2BuildGroups(t *testing.T) {
	root := t.TempDir()
	h := hierarchy{mount: root, own: root, v2: true, made: true, controllers: []string{"cpu", "memory", "pids"}}
	c := cgroups{name: "fandogh-x", hierarchies: []hierarchy{h}}
	build := filepath.Join(root, "fandogh-x", "build-7")
	fakeGroup(t, build, "cgroup.subtree_control", "memory.max", "pids.max", "cpu.max")
	fakeGroup(t, filepath.Join(build, "step"), "cgroup.procs")
	if missing := c.createBuild("build-7", Limits{Memory: 1 << 30, PIDs: 100, CPUs: 2}); missing != nil {
		t.Errorf("missing are %v", missing)
	}
	for file, want := range map[string]string{"memory.max": "1073741824", "pids.max": "100", "cpu.max": "200000 100000"} {
		if text, err := os.ReadFile(filepath.Join(build, file)); err != nil || string(text) != want {
			t.Errorf("%s is %q, want %q: %v", file, text, want, err)
		}
	}
	for _, name := range []string{"build-7", ""} {
		if steps := c.stepsOf(name); !reflect.DeepEqual(steps, []string{filepath.Join(build, "step")}) {
			t.Errorf("steps of %q are %v", name, steps)
		}
	}
	for events, want := range map[string]bool{"low 0\nhigh 0\nmax 9\noom 0\noom_kill 0\n": false, "low 0\nhigh 0\nmax 9\noom 1\noom_kill 0\n": true} {
		if err := os.WriteFile(filepath.Join(build, "memory.events.local"), []byte(events), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := c.usedUpMemory("build-7"); got != want {
			t.Errorf("%q: used up %t", events, got)
		}
	}
	for script, want := range map[string][]string{
		c.buildScript():               {`-d /sys/fs/cgroup/build-"$shares"`, `build=build-$shares`},
		c.stepScript(Limits{PIDs: 5}): {`mkdir -p /sys/fs/cgroup/"$build"/"$id"`, `echo '5' > /sys/fs/cgroup/"$build"/"$id"/pids.max`},
		c.failureScript("/marks"):     {`/sys/fs/cgroup/"$build"/"$id"/memory.events && : > '/marks'/"$shares".memory`},
	} {
		for _, part := range want {
			if !strings.Contains(script, part) {
				t.Errorf("no %s in:\n%s", part, script)
			}
		}
	}
}

func TestProcessesLeaveAGroupThatIsDivided(t *testing.T) {
	own := t.TempDir()
	fakeGroup(t, own, "cgroup.type", "cgroup.procs", "cgroup.subtree_control")
	fakeGroup(t, filepath.Join(own, leaf), "cgroup.procs")
	if err := os.WriteFile(filepath.Join(own, "cgroup.procs"), []byte("17\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	haveControllers(t, own)
	h := hierarchy{own: own, v2: true}
	h.delegate()
	if moved, err := os.ReadFile(filepath.Join(own, leaf, "cgroup.procs")); err != nil || !strings.HasPrefix(string(moved), "17") {
		t.Errorf("moved: %q, %v", moved, err)
	}
	if !reflect.DeepEqual(h.controllers, []string{"cpu", "io", "memory", "pids"}) {
		t.Errorf("controllers are %v", h.controllers)
	}
}

func TestWithoutControlGroupsAllLimitsAreMissing(t *testing.T) {
	var none cgroups
	if missing := none.create(Limits{Memory: 1}, Limits{PIDs: 1}); !reflect.DeepEqual(missing, []string{"memory", "pids"}) {
		t.Errorf("missing are %v", missing)
	}
	if none.enter() != "" || none.stepScript(Limits{Memory: 1}) != "" {
		t.Error("something is mounted or limited nevertheless")
	}
}

// In a shell on a machine with systemd the groups have what they were given, and a service with Delegate=yes has all there is.
func TestControllersOfASystemd(t *testing.T) {
	root := t.TempDir()
	own := filepath.Join(root, "user.slice")
	for dir, controllers := range map[string]string{root: "cpuset cpu io memory pids\n", own: "memory pids\n"} {
		fakeGroup(t, dir)
		if err := os.WriteFile(filepath.Join(dir, "cgroup.controllers"), []byte(controllers), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		h       hierarchy
		systemd bool
		missing []string
	}{
		"systemd":                    {hierarchy{mount: root, own: own, v2: true}, true, nil},
		"no systemd":                 {hierarchy{mount: root, own: own, v2: true}, false, []string{"cpu"}},
		"systemd, not all are there": {hierarchy{mount: own, own: own, v2: true}, true, []string{"cpu"}},
		"version 1":                  {hierarchy{mount: root, own: own, controllers: []string{"cpu"}}, true, []string{"memory", "pids"}},
	} {
		if got := missingOf([]hierarchy{test.h}, test.systemd); !reflect.DeepEqual(got, test.missing) {
			t.Errorf("%s: missing are %v, want %v", name, got, test.missing)
		}
	}
}
