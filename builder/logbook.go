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
func (b *logbook) acquire(id int64) *logFile {
	b.mu.Lock()
	defer b.mu.Unlock()
	held := b.open[id]
	if held == nil {
		held = &heldLog{logFile: newLogFile(id, b.path(id))}
		b.open[id] = held
	}
	if held.users == 0 {
		b.idle = slices.DeleteFunc(b.idle, func(other int64) bool { return other == id })
	}
	held.users++
	return held.logFile
}

func (b *logbook) release(log *logFile) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	held := b.open[log.id]
	if held.users--; held.users > 0 {
		return nil
	}
	b.idle = append(b.idle, log.id)
	if len(b.idle) <= maxIdleLogs {
		return nil
	}
	oldest := b.idle[0]
	b.idle = b.idle[1:]
	err := b.open[oldest].close()
	delete(b.open, oldest)
	return err
}

// closeIdle closes the logs without a user.
func (b *logbook) closeIdle() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for _, id := range b.idle {
		errs = append(errs, b.open[id].close())
		delete(b.open, id)
	}
	b.idle = nil
	return errors.Join(errs...)
}

// remove deletes a build's log. A follower that is reading it keeps what it has open.
func (b *logbook) remove(id int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	if held := b.open[id]; held != nil && held.users == 0 {
		b.idle = slices.DeleteFunc(b.idle, func(other int64) bool { return other == id })
		delete(b.open, id)
		errs = append(errs, held.close())
	}
	if err := os.Remove(b.path(id)); !errors.Is(err, os.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (b *logbook) path(id int64) string { return filepath.Join(b.dir, fmt.Sprintf("%d.log", id)) }
