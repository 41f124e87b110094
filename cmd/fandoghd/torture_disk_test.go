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
func (w *torture) mountData() {
	if err := os.MkdirAll(w.daemon.data, 0o755); err != nil {
		w.Fatal(err)
	}
	if err := unix.Mount("tmpfs", w.daemon.data, "tmpfs", 0, "size=1536m,mode=755"); err != nil {
		w.Fatalf("mount a disk for the daemon: %v", err)
	}
	w.Cleanup(w.unmountData) // if nothing else was begun
}

// unmountData is there to be called again.
func (w *torture) unmountData() {
	if err := unix.Unmount(w.daemon.data, 0); err != nil && err != unix.EINVAL { //nolint:errorlint // an errno; EINVAL: not mounted
		w.Errorf("unmount the daemon's disk: %v", err)
		_ = unix.Unmount(w.daemon.data, unix.MNT_DETACH)
	}
}

// fillDisk takes all that is free on the daemon's disk for some seconds, and what is freed meanwhile.
func (w *torture) fillDisk(over context.Context, dice *rand.Rand) {
	w.count("times the disk was full")
	file, err := os.Create(filepath.Join(w.daemon.data, "filler"))
	if err != nil {
		w.Error(err)
		return
	}
	defer func() {
		if err := os.Remove(file.Name()); err != nil {
			w.Error(err)
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
