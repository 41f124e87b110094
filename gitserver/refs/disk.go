package refs

import (
	"bufio"
	"errors"
	"io"
	"os"

	"github.com/fandoghpaas/fandogh/internal/atomicfile"
)

// Disk is all that refs and the files beside them need of a file system to change: what the machine's does, and when
// it fails, in one place.
type Disk interface {
	// Create makes a file that is not there yet, with all that write puts into it, for good. Without
	// write it is an empty one that need not outlive a crash.
	Create(path string, write func(io.Writer) error) error
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(dir string) error
}

// OS is the operating system's.
type OS struct{}

// Create implements Disk.
func (OS) Create(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if write == nil {
		return f.Close()
	}
	w := bufio.NewWriterSize(f, 64<<10)
	if err = write(w); err == nil {
		err = errors.Join(w.Flush(), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// Rename implements Disk.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements Disk.
func (OS) Remove(path string) error { return os.Remove(path) }

// SyncDir implements Disk.
func (OS) SyncDir(dir string) error { return atomicfile.SyncDir(dir) }

// ReplaceFile replaces a file so that a crash leaves the old or the new content. It fails when another
// program holds the file's lock, and at an error after that the old content stays.
func ReplaceFile(d Disk, dir, name, content string) error {
	path := dir + "/" + name
	lock := path + ".lock"
	err := d.Create(lock, func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	})
	if err != nil {
		return err
	}
	if err := d.Rename(lock, path); err != nil {
		return errors.Join(err, d.Remove(lock))
	}
	return d.SyncDir(dir)
}
