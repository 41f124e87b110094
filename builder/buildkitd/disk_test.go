//go:build linux

package buildkitd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
	diskstat "github.com/moby/buildkit/util/disk"
	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// smallDisk is a disk of its own, of 600 MiB. What is written to it counts as
// written to a disk, unlike files in memory.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir, image := t.TempDir(), filepath.Join(t.TempDir(), "image")
	buildkittest.Run(t, "truncate", "--size=600M", image)
	buildkittest.Run(t, "mkfs.ext4", "-q", image)
	buildkittest.Run(t, "mount", "-o", "loop", image, dir)
	t.Cleanup(func() { buildkittest.Run(t, "umount", dir) })
	return dir
}

func free(t *testing.T, dir string) int64 {
	t.Helper()
	stat, err := diskstat.GetDiskStat(dir)
	if err != nil {
		t.Fatal(err)
	}
	return stat.Available
}

func TestDiskIsNotFilled(t *testing.T) {
	dir := smallDisk(t)
	cfg := managerConfig(dir, env.Registry)
	cfg.KeepBytes, cfg.Disk = 300<<20, &Disk{Dir: dir, Free: 200 << 20}
	m := newManager(t, cfg)
	buildkittest.RunReady(t, m)
	config := solverConfig(m, env.Registry)
	config.Disk = cfg.Disk
	solver := newSolver(t, config)
	_, neighbour := startSleep(t, solver, "neighbour")
	fill := "while true; do dd if=/dev/zero bs=1M count=4 2>/dev/null >> /file || exit 1; sleep 0.05; done"
	failure, log := fails(t, solver, "ann", fill)
	if failure.Outcome != catalog.OutcomeInfrastructure || !strings.Contains(failure.Message, "the step that had written most was killed") {
		t.Errorf("%s: %s\n%s", failure.Outcome, failure.Message, log)
	}
	testkit.Eventually(t, "what the step wrote is gone", func() bool { return free(t, dir) > cfg.Disk.Free })
	select {
	case err := <-neighbour:
		t.Errorf("a build that wrote nothing ended too: %v", err)
	default:
	}
	if _, err := solver.Solve(t.Context(), env.Request("ann", "after", "1.0", stepTree(t, "true")), func(builder.Event) {}); err != nil {
		t.Errorf("the next build: %v", err)
	}
	if err := os.WriteFile(dir+"/fill", make([]byte, free(t, dir)-80<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	failure, _ = fails(t, solver, "ann", "true")
	if failure.Outcome != catalog.OutcomeInfrastructure || !strings.Contains(failure.Message, "the builder's disk is too full to build") {
		t.Errorf("a build on a full disk: %s: %s", failure.Outcome, failure.Message)
	}
}

// A step learns of a full disk, and its end is told when there may be room again.
func TestDiskWasFull(t *testing.T) {
	dir := t.TempDir()
	buildkittest.Run(t, "mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", dir)
	t.Cleanup(func() { buildkittest.Run(t, "umount", dir) })
	d, began := &Disk{Dir: dir}, time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	var watch sync.WaitGroup
	watch.Go(func() { (&Manager{cfg: Config{Disk: d}}).watchDisk(ctx) })
	t.Cleanup(func() { cancel(); watch.Wait() })
	if err := d.Ping(ctx); d.WasFull(began) || err != nil {
		t.Fatalf("an empty disk was full: %v", err)
	}
	if err := os.WriteFile(dir+"/fill", make([]byte, 20<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the watch sees the full disk", func() bool { return d.seenFull.Load() > 0 })
	if err := d.Ping(ctx); catalog.CodeOf(err) != catalog.Unavailable {
		t.Errorf("a full disk is ready: %v", err)
	}
	if err := os.Remove(dir + "/fill"); err != nil {
		t.Fatal(err)
	}
	if !d.WasFull(began) {
		t.Error("the disk was never full")
	}
	testkit.Eventually(t, "the disk is no longer full", func() bool { return !d.WasFull(time.Now()) })
}

// A disk has only so many files, and a step that leaves them in the cache has not failed.
func TestFilesOfADiskAreNotUsedUp(t *testing.T) {
	dir := smallDisk(t)
	cfg := managerConfig(dir, env.Registry)
	cfg.Disk = &Disk{Dir: dir, Free: 1 << 20}
	m := newManager(t, cfg)
	buildkittest.RunReady(t, m)
	config := solverConfig(m, env.Registry)
	config.Disk = cfg.Disk
	solver := newSolver(t, config)
	filesFree := func() (free, all uint64) {
		var stat unix.Statfs_t
		if err := unix.Statfs(dir, &stat); err != nil {
			t.Fatal(err)
		}
		return stat.Ffree, stat.Files
	}
	_, all := filesFree()
	leave := fmt.Sprintf("mkdir /many && cd /many && seq %d | xargs touch", all*96/100)
	if _, err := solver.Solve(t.Context(), env.Request("ann", "leaves", "1.0", stepTree(t, leave)), func(builder.Event) {}); err != nil {
		t.Fatal(err)
	}
	if _, err := solver.Solve(t.Context(), env.Request("ann", "after", "1.0", stepTree(t, "true")), func(builder.Event) {}); err != nil {
		t.Errorf("the next build: %v", err)
	}
	if free, _ := filesFree(); free < all/freeFiles {
		t.Errorf("%d of %d files are free after it", free, all)
	}
}

func TestCacheLeavesRoom(t *testing.T) {
	var workers []*client.WorkerInfo
	err := env.manager.ask(t.Context(), func(_ *client.Client, all []*client.WorkerInfo) error {
		workers = all
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range workers[0].GCPolicy[1:] { // the first is of caches of sources alone
		if rule.MinFreeSpace != sharedFree || rule.MaxUsedSpace != sharedKeep || rule.ReservedSpace >= rule.MaxUsedSpace {
			t.Errorf("BuildKit's cache has the rule %+v", rule)
		}
	}
}

func TestUsualFree(t *testing.T) {
	if got := UsualFree(t.TempDir()); got < 1<<30 || got > 10<<30 {
		t.Errorf("leaves %d bytes free", got)
	}
	if got := UsualFree("/nonexistent"); got != 0 {
		t.Errorf("leaves %d bytes free on no disk", got)
	}
}
