// Package atomicfile writes files that are there whole or not at all, whenever a process reads them and
// whenever the machine fails: the content is on disk before the name is, and the name before a function returns.
package atomicfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Replace writes a file in place of the one that is there, if any. What it writes aside begins with a dot.
func Replace(path string, data []byte, mode fs.FileMode) error {
	return ReplaceFrom(path, mode, writer(data))
}

// ReplaceFrom is Replace of what a function writes.
func ReplaceFrom(path string, mode fs.FileMode, write func(io.Writer) error) error {
	return put(path, mode, write, os.Rename)
}

// Create writes a file that must not be there yet. Errors: fs.ErrExist.
func Create(path string, data []byte, mode fs.FileMode) error {
	// A link, unlike a rename, replaces nothing.
	return put(path, mode, writer(data), os.Link)
}

func writer(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(data))
		return err
	}
}

func put(path string, mode fs.FileMode, write func(io.Writer) error, place func(from, to string) error) error {
	dir := filepath.Dir(path)
	file, err := os.CreateTemp(dir, "."+filepath.Base(path)+".new-")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) //nolint:errcheck // gone once it was renamed; at worst a file without use
	err = write(file)
	if err == nil {
		err = errors.Join(file.Chmod(mode), file.Sync())
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := place(file.Name(), path); err != nil {
		return err
	}
	return SyncDir(dir)
}

// SyncDir makes what happened to names in a directory survive a crash of the machine.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" { // which knows no such thing
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
