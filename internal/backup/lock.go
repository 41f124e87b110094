// Package backup copies a data directory's files while a daemon uses it, and brings copies back.
//
// A Place is a directory of snapshots, each of which is whole: what did not change since the one before is a hard link
// to its file. A snapshot is Snapshot while it is made, and counts when Finish has given it its manifest and its name; one that
// was cut short counts for nothing, but what it has of large files is used by the next. A Stream is the same as a tar.
// What is to be copied, and in which order, the caller says: first what refers to others, then these. That holds
// because of Hold: while it lasts nothing is removed for good, for whoever removes asks Removing.
package backup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/catalog"
)

// LockFile is held alone, in a data directory, by who reads all of it, and shared by who removes something of it for good.
const LockFile = "backup.lock"

// pollInterval is how often Hold looks whether the others have ended.
const pollInterval = 50 * time.Millisecond

// Hold keeps what is in a data directory from being removed until release is called. It waits until those have ended
// that remove something, and other backups; waits is called once if it has to.
func Hold(ctx context.Context, data string, waits func()) (release func(), err error) {
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		release, err := lock(filepath.Join(data, LockFile), unix.LOCK_EX)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return release, err
		}
		if waits != nil {
			waits()
			waits = nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Removing is asked before something of a data directory is removed for good, and done called afterwards.
// Errors: Unavailable while a backup runs, at once; then it is to be tried later.
func Removing(data string) (done func(), err error) {
	done, err = lock(filepath.Join(data, LockFile), unix.LOCK_SH)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, catalog.Wrap(catalog.Unavailable, err, "a backup or a check is running, and nothing is removed until it ends; try again then")
	}
	return done, err
}

// lock tries to lock a file, or a directory. Errors: unix.EWOULDBLOCK.
func lock(path string, how int) (release func(), err error) {
	flags := os.O_RDONLY | os.O_CREATE
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		flags = os.O_RDONLY
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil // closing gives the lock back
}
