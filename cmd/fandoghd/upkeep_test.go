package main

import (
	"testing"

	"github.com/fandoghpaas/fandogh/config"
	"github.com/fandoghpaas/fandogh/internal/diskspace"
)

// The page of the disk says what refuses pushes, by the limits that hold, which a reload may have changed.
func TestPageOfTheDiskGoesByTheLimitsThatHold(t *testing.T) {
	dir := t.TempDir()
	d := &daemon{config: config.Config{Data: dir, Disk: config.Disk{MinFree: 1 << 60, MaxUsed: 100}}, sizes: &dataSizes{dir: dir}}
	d.disk = diskspace.New(diskspace.Config{Dir: dir, Limits: diskLimits(d.config.Disk)})
	short := func() bool {
		t.Helper()
		disk, err := newUpkeep(d).Disk(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return disk.Short != ""
	}
	if !short() {
		t.Error("it says nothing of a disk that is nearly full")
	}
	d.disk.SetLimits(diskspace.Limits{MaxUsed: 100})
	if short() {
		t.Error("after other limits came it says that the disk is nearly full")
	}
}
