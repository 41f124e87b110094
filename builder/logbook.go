package builder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// maxIdleLogs is how many logs without a user stay open, with their index, so that
// a client that polls a log does not make it be read from the start each time.
const maxIdleLogs = 64

// logbook hands out the one logFile of each build.
type logbook struct {
	dir string

	mu   sync.Mutex
	open map[int64]*heldLog
	idle []int64 // open logs without a user, longest idle first
}

type heldLog struct {
	*logFile
	users int
}

func newLogbook(dir string) (*logbook, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("create log directory: %w", err)
	}
	return &logbook{dir: dir, open: map[int64]*heldLog{}}, nil
}

// acquire returns a build's log; call release when done with it.
func (l *logbook) acquire(id int64) *logFile {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := l.open[id]
	if held == nil {
		held = &heldLog{logFile: newLogFile(id, l.path(id))}
		l.open[id] = held
	}
	if held.users == 0 {
		l.idle = slices.DeleteFunc(l.idle, func(other int64) bool { return other == id })
	}
	held.users++
	return held.logFile
}

func (l *logbook) release(log *logFile) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := l.open[log.id]
	if held.users--; held.users > 0 {
		return nil
	}
	l.idle = append(l.idle, log.id)
	if len(l.idle) <= maxIdleLogs {
		return nil
	}
	oldest := l.idle[0]
	l.idle = l.idle[1:]
	err := l.open[oldest].close()
	delete(l.open, oldest)
	return err
}

// closeIdle closes the logs without a user.
func (l *logbook) closeIdle() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, id := range l.idle {
		errs = append(errs, l.open[id].close())
		delete(l.open, id)
	}
	l.idle = nil
	return errors.Join(errs...)
}

// remove deletes a build's log and returns its bytes. A follower that is reading it keeps what it has open.
func (l *logbook) remove(id int64) (bytes int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	if held := l.open[id]; held != nil && held.users == 0 {
		l.idle = slices.DeleteFunc(l.idle, func(other int64) bool { return other == id })
		delete(l.open, id)
		errs = append(errs, held.close())
	}
	if info, err := os.Lstat(l.path(id)); err == nil {
		bytes = info.Size()
	}
	if err := os.Remove(l.path(id)); !errors.Is(err, os.ErrNotExist) {
		errs = append(errs, err)
	}
	return bytes, errors.Join(errs...)
}

func (l *logbook) path(id int64) string { return LogPath(l.dir, id) }

// LogPath returns where the log of a build is, of those in Config.LogDir.
func LogPath(dir string, buildID int64) string {
	return filepath.Join(dir, fmt.Sprintf("%d.log", buildID))
}

// LogID returns which build the log at a path is of; 0: it is none.
func LogID(path string) (buildID int64) {
	_, _ = fmt.Sscanf(filepath.Base(path), "%d.log", &buildID)
	return buildID
}
