//go:build linux

package buildkit

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/builder"
)

// Whatever lies where one of BuildKit's databases should be, a build succeeds soon.
func TestDamagedCacheIsSetAside(t *testing.T) {
	cfg := managerConfig(t.TempDir(), shared.registry)
	var log func() string
	cfg.Logger, log = logged()
	m, err := NewManager(cfg)
	if err != nil {
		t.Fatal(err)
	}
	m.timing.backoff = 10 * time.Millisecond
	solver, err := New(solverConfig(m, shared.registry))
	if err != nil {
		t.Fatal(err)
	}
	build := func() error {
		tree := newTree(map[string]string{"Dockerfile": busyboxImage + "RUN --mount=type=cache,target=/c echo x >>/c/x\nRUN cat /bin/busybox | wc -c\n"}).withBusybox()
		_, err := solver.Solve(t.Context(), request("ann", "damaged", "1.0", tree), func(builder.Event) {})
		return err
	}
	stop := runManager(t, m)
	if err := build(); err != nil {
		t.Fatal(err)
	}
	stop()
	good := filepath.Join(cfg.Dir, "good")
	run(t, "cp", "-a", m.rootDir(), good)

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
			run(t, "rm", "-rf", m.rootDir())
			run(t, "cp", "-a", good, m.rootDir())
			path := filepath.Join(m.rootDir(), test.file)
			info, err := os.Stat(path)
			if err == nil {
				err = test.damage(path, info.Size())
			}
			if err != nil {
				t.Fatal(err)
			}
			before := len(log())
			stop := startManager(t, m)
			defer func() { stop(); t.Logf("%v\n%s", err, log()[before:]) }()
			eventually(t, "a build succeeds", func() bool { err = build(); return err == nil })
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
	m := &Manager{cfg: ManagerConfig{Dir: t.TempDir()}, log: testLogger("aside")}
	ago := func(d time.Duration) string { return asidePrefix + time.Now().UTC().Add(-d).Format(asideTime) }
	old, middle, newest := ago(2*keepAside), ago(time.Hour), ago(time.Minute)
	for _, dir := range []string{"root/x", "root.aside-by-hand/x", old + "/x", middle + "/x", newest + "/x"} {
		if err := os.MkdirAll(filepath.Join(m.cfg.Dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	left := func() string {
		dirs, err := filepath.Glob(filepath.Join(m.cfg.Dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range dirs {
			dirs[i] = filepath.Base(dirs[i])
		}
		return strings.Join(dirs, " ")
	}
	m.dropAllAside(true)
	if got, want := left(), "root "+newest+" root.aside-by-hand"; got != want {
		t.Errorf("with room on the disk %s is left, want %s", got, want)
	}
	m.dropAllAside(false)
	if got, want := left(), "root root.aside-by-hand"; got != want {
		t.Errorf("without room on the disk %s is left, want %s", got, want)
	}
}
