package refstest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/fandoghpaas/fandogh/gitserver/refs"
)

// FailingDisk is the machine's disk, of which one operation may fail. It notes what it did.
type FailingDisk struct {
	mu     sync.Mutex
	failAt int  // from 1 on; 0: never
	after  bool // it fails when it is done
	done   []string
	real   refs.OS
}

// FailAt begins to count anew and has an operation fail, the first being 1, before or after it is done; 0 has none. It
// returns the operations so far, each with the base name of its file.
func (d *FailingDisk) FailAt(operation int, after bool) (done []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	done = d.done
	d.failAt, d.after, d.done = operation, after, nil
	return done
}

// next notes an operation, and returns the error that it has before it is done or after.
func (d *FailingDisk) next(name, path string) (before, after error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = append(d.done, name+" "+filepath.Base(path))
	if len(d.done) != d.failAt {
		return nil, nil
	}
	err := fmt.Errorf("%s %s: the disk failed", name, path)
	if d.after {
		return nil, err
	}
	return err, nil
}

func (d *FailingDisk) op(name, path string, do func() error) error {
	err, after := d.next(name, path)
	if err == nil {
		err = do()
	}
	if err == nil {
		err = after
	}
	return err
}

// Create implements refs.Disk.
func (d *FailingDisk) Create(path string, write func(io.Writer) error) error {
	err, after := d.next("create", path)
	if err == nil {
		err = d.real.Create(path, write)
	}
	if err == nil && after != nil {
		err = errors.Join(after, os.Remove(path)) // what can't be written does not stay
	}
	return err
}

// Rename implements refs.Disk.
func (d *FailingDisk) Rename(from, to string) error {
	return d.op("rename", from, func() error { return d.real.Rename(from, to) })
}

// Remove implements refs.Disk.
func (d *FailingDisk) Remove(path string) error {
	return d.op("remove", path, func() error { return d.real.Remove(path) })
}

// SyncDir implements refs.Disk.
func (d *FailingDisk) SyncDir(dir string) error {
	return d.op("sync", dir, func() error { return d.real.SyncDir(dir) })
}
