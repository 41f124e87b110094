package buildkitd

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// bootFile names the boot of the machine that the build cache was last used in. It goes when all of
	// the cache is on the disk.
	bootFile = "boot"
	bootID   = "/proc/sys/kernel/random/boot_id" // another one after each start of the machine
	// flushTimeout is how long the end waits for the disk. A cache that is not on it by then is only doubted
	// when the machine goes down before the next start.
	flushTimeout = 10 * time.Second
)

// doubtCache sets the build cache aside if the machine went down while it was used. BuildKit waits for no disk: its
// databases may know layers of which not all files were written, and images would be made of them.
func (m *Manager) doubtCache() error {
	now, err := os.ReadFile(m.bootID)
	if err != nil {
		return err
	}
	path := filepath.Join(m.cfg.Dir, bootFile)
	before, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || bytes.Equal(before, now):
	case err != nil:
		return err
	default:
		m.setAside("the machine went down while the build cache was in use, so files of it may be lost")
	}
	if err := os.WriteFile(path, now, 0o600); err != nil {
		return err
	}
	return flush(m.cfg.Dir)
}

// trustCache notes that the build cache is on the disk.
func (m *Manager) trustCache() {
	flushed := make(chan error, 1)
	go func() { flushed <- flush(m.cfg.Dir) }()
	select {
	case err := <-flushed:
		if err == nil {
			err = os.Remove(filepath.Join(m.cfg.Dir, bootFile))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			m.log.Warn("failed to check that the build cache is on disk", "error", err)
		}
	case <-time.After(flushTimeout):
		m.log.Warn("the build cache is not on disk yet; it will be set aside if the machine goes down before the next start")
	}
}

// flush waits until all of a directory's file system is on the disk.
func flush(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(d.Fd())), d.Close())
}
