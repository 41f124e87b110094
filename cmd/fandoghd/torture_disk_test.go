//go:build torture

package main

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// mountData gives the daemon a disk that can be filled.
func (t *torture) mountData() {
	if err := os.MkdirAll(t.daemon.data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", t.daemon.data, "tmpfs", 0, "size=1536m,mode=755"); err != nil {
		t.Fatalf("mount a disk for the daemon: %v", err)
	}
	t.Cleanup(t.unmountData) // if nothing else was begun
}

// end stops the daemon and takes its disk away.
func (t *torture) end() {
	t.stop()
	t.unmountData()
	t.checkLeft()
}

// unmountData is there to be called again.
func (t *torture) unmountData() {
	if err := unix.Unmount(t.daemon.data, 0); err != nil && err != unix.EINVAL { //nolint:errorlint // an errno; EINVAL: not mounted
		t.Errorf("unmount the daemon's disk: %v", err)
		_ = unix.Unmount(t.daemon.data, unix.MNT_DETACH)
	}
}

// fillDisk takes all that is free on the daemon's disk for some seconds, and what is freed meanwhile.
func (t *torture) fillDisk(over context.Context, dice *rand.Rand) {
	t.count("times the disk was full")
	file, err := os.Create(filepath.Join(t.daemon.data, "filler"))
	if err != nil {
		t.Error(err)
		return
	}
	defer func() {
		if err := os.Remove(file.Name()); err != nil {
			t.Error(err)
		}
		_ = file.Close()
	}()
	length := int64(0)
	for full, end := context.WithTimeout(over, time.Duration(500+dice.IntN(3000))*time.Millisecond); ; {
		for size := int64(64 << 20); size >= 4096; size /= 2 {
			for unix.Fallocate(int(file.Fd()), 0, length, size) == nil {
				length += size
			}
		}
		wait(full, 10*time.Millisecond)
		if full.Err() != nil {
			end()
			return
		}
	}
}
