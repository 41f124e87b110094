//go:build linux

package buildkitd

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// Whatever lies where one of BuildKit's databases should be, a build succeeds soon.
func TestDamagedCacheIsSetAside(t *testing.T) {
	cfg := managerConfig(t.TempDir(), env.Registry)
	var log func() string
	cfg.Logger, log = logged()
	m := newManager(t, cfg)
	m.timing.backoff = 10 * time.Millisecond
	solver := newSolver(t, solverConfig(m, env.Registry))
	build := func() error {
		tree := buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + "RUN --mount=type=cache,target=/c echo x >>/c/x\nRUN cat /bin/busybox | wc -c\n"}).WithBusybox()
		_, err := solver.Solve(t.Context(), env.Request("ann", "damaged", "1.0", tree), func(builder.Event) {})
		return err
	}
	stop := buildkittest.RunReady(t, m)
	if err := build(); err != nil {
		t.Fatal(err)
	}
	stop()
	good := filepath.Join(cfg.Dir, "good")
	buildkittest.Run(t, "cp", "-a", m.rootDir(), good)

	random := func(path string, size int64) error { return overwrite(path, 0, size) }
	inPages := func(path string, size int64) error { return overwrite(path, 8<<10, size-8<<10) }
	truncated := func(path string, size int64) error { return os.Truncate(path, size/2) }
	empty := func(path string, _ int64) error { return os.Truncate(path, 0) }
	directory := func(path string, _ int64) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }
	for name, test := range map[string]struct {
		file   string
		damage func(path string, size int64) error
	}{
		"random contents":   {"runc-overlayfs/containerdmeta.db", random},
		"truncated":         {"runc-overlayfs/containerdmeta.db", truncated},
		"empty":             {"runc-overlayfs/containerdmeta.db", empty},
		"random cache":      {"runc-overlayfs/metadata_v2.db", random},
		"cache in pages":    {"runc-overlayfs/metadata_v2.db", inPages},
		"directory":         {"runc-overlayfs/metadata_v2.db", directory},
		"random snapshots":  {"runc-overlayfs/snapshots/metadata.db", random},
		"snapshots in part": {"runc-overlayfs/snapshots/metadata.db", inPages},
		"random results":    {"cache.db", random},
		"truncated results": {"cache.db", truncated},
		"random history":    {"history.db", random},
	} {
		t.Run(name, func(t *testing.T) {
			buildkittest.Run(t, "rm", "-rf", m.rootDir())
			buildkittest.Run(t, "cp", "-a", good, m.rootDir())
			path := filepath.Join(m.rootDir(), test.file)
			info, err := os.Stat(path)
			if err == nil {
				err = test.damage(path, info.Size())
			}
			if err != nil {
				t.Fatal(err)
			}
			before := len(log())
			stop := buildkittest.RunDaemon(t, m)
			defer func() { stop(); t.Logf("%v\n%s", err, log()[before:]) }()
			testkit.Eventually(t, "a build succeeds", func() bool { err = build(); return err == nil })
		})
	}
}

func overwrite(path string, from, size int64) error {
	noise := make([]byte, max(0, size))
	_, _ = rand.Read(noise)
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(noise, from)
	return errors.Join(err, file.Close())
}

func TestCachesThatWereSetAsideGo(t *testing.T) {
	m := &Manager{cfg: Config{Dir: t.TempDir()}, log: buildkittest.Logger("aside")}
	ago := func(d time.Duration) string { return asidePrefix + time.Now().UTC().Add(-d).Format(asideTime) }
	old, middle, newest := ago(2*keepAside), ago(time.Hour), ago(time.Minute)
	for _, dir := range []string{"root/x", "root.aside-by-hand/x", old + "/x", middle + "/x", newest + "/x"} {
		if err := os.MkdirAll(filepath.Join(m.cfg.Dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	left := func() string {
		dirs, err := os.ReadDir(m.cfg.Dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, dir := range dirs {
			names = append(names, dir.Name())
		}
		return strings.Join(names, " ")
	}
	m.cfg.Disk = &Disk{Dir: m.cfg.Dir, Free: 1}
	m.dropAside()
	if got, want := left(), "root "+newest+" root.aside-by-hand"; got != want {
		t.Errorf("with room on the disk %s is left, want %s", got, want)
	}
	m.cfg.Disk.CacheFree = 1 << 60
	m.dropAside()
	if got, want := left(), "root root.aside-by-hand"; got != want {
		t.Errorf("without room on the disk %s is left, want %s", got, want)
	}
}

// Of a machine that went down it is not known which files of the cache came to the disk.
func TestCacheOfAnotherBootIsSetAside(t *testing.T) {
	cfg := managerConfig(t.TempDir(), env.Registry)
	boot := filepath.Join(t.TempDir(), "boot")
	m := newManager(t, cfg)
	m.bootID = boot
	solver := newSolver(t, solverConfig(m, env.Registry))
	version := 0
	cached := func() bool {
		t.Helper()
		version++
		tree := buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + "RUN true\n"}).WithBusybox()
		rec := &buildkittest.Recorder{}
		if _, err := solver.Solve(t.Context(), env.Request("ann", "boots", strconv.Itoa(version), tree), rec.Event); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(rec.Text(), "CACHED")
	}
	for _, step := range []struct {
		what, boot string
		powerLoss  bool // the last run had no end
		want       bool
	}{
		{"the first start", "one", false, false},
		{"after an orderly end", "two", false, true},
		{"after a kill", "two", true, true},
		{"after a loss of power", "three", true, false},
		{"after an orderly end again", "four", false, true},
	} {
		if step.powerLoss {
			if err := os.WriteFile(filepath.Join(cfg.Dir, bootFile), []byte("two"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(boot, []byte(step.boot), 0o600); err != nil {
			t.Fatal(err)
		}
		stop := buildkittest.RunReady(t, m)
		if got := cached(); got != step.want {
			t.Errorf("%s: cached %v, want %v", step.what, got, step.want)
		}
		stop()
	}
}
