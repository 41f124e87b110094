package buildkitd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// runtimeDir holds a lock file for every manager that runs on this machine, named
// by its id. It goes with a reboot, as networks and rules do.
const runtimeDir = "/run/fandogh"

// lockTimeout is longer than removing one orphan takes.
const lockTimeout = time.Second

var errLocked = errors.New("locked")

// lockID takes the lock of an id for as long as the file is open. Its error is
// errLocked while another process has it.
func lockID(id string) (*os.File, error) {
	if err := os.MkdirAll(runtimeDir, 0o700); err != nil {
		return nil, err
	}
	for {
		path := lockPath(id)
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			_ = file.Close()
			return nil, errLocked
		}
		// The last owner may have removed the file before it let the lock go.
		now, statErr := os.Stat(path)
		held, err := file.Stat()
		if err == nil && statErr == nil && os.SameFile(now, held) {
			return file, nil
		}
		_ = file.Close()
	}
}

// unlockID removes a lock and lets it go.
func unlockID(id string, file *os.File) {
	_ = os.Remove(lockPath(id))
	_ = file.Close()
}

func lockPath(id string) string { return filepath.Join(runtimeDir, id+".lock") }

// lock makes sure that no other manager works in the directory: it would take
// this one's network down.
func (m *Manager) lock(ctx context.Context) (unlock func(), err error) {
	file, err := lockID(m.id)
	// Another manager that looks for orphans holds it for a moment.
	waiting, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	for errors.Is(err, errLocked) && waiting.Err() == nil {
		select {
		case <-waiting.Done():
		case <-time.After(pollInterval):
			file, err = lockID(m.id)
		}
	}
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("another daemon runs a buildkitd in %s; stop it, or choose another data directory", m.cfg.Dir)
	}
	if err != nil {
		return nil, fmt.Errorf("lock for buildkitd: %w", err)
	}
	return func() { unlockID(m.id, file) }, nil
}

// removeOrphans removes the networks and control groups of managers that were
// killed and whose data directory no daemon uses again.
func removeOrphans(log hclog.Logger) {
	entries, err := os.ReadDir(runtimeDir)
	if err != nil {
		log.Warn("failed to look for what killed daemons left behind", "error", err)
		return
	}
	for _, entry := range entries {
		id, isLock := strings.CutSuffix(entry.Name(), ".lock")
		if !isLock {
			continue
		}
		file, err := lockID(id)
		if err != nil {
			continue // it runs
		}
		orphan := network{id: id, device: deviceName(id)}
		if err := orphan.down(); err != nil {
			log.Warn("failed to remove all of the network of a killed daemon", "device", orphan.device, "error", err)
			_ = file.Close()
			continue
		}
		removeCgroups(id)
		unlockID(id, file)
	}
}
