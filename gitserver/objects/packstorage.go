package objects

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fandoghpaas/fandogh/internal/atomicfile"
)

// PackStorage keeps the packs of one repository. A pack has a name, "pack-<hash>", never changes, and comes with its
// index. Packs opens one once for all stores while os.SameFile knows its info again.
type PackStorage interface {
	// Names returns the packs that are whole.
	Names() ([]string, error)
	// Stat tells of a pack. Errors: fs.ErrNotExist.
	Stat(name string) (fs.FileInfo, error)
	// Open returns a pack, which can be read until it is closed, also when it was removed, and its index.
	// Errors: fs.ErrNotExist.
	Open(name string) (PackFile, []byte, error)
	// Put takes the files of a pack and of its index, which are on disk for good. They are there for good when
	// it returns, and visible only when both are. What is there already stays.
	Put(name, pack, index string) error
	// Remove removes packs for good; one that is not there is no error.
	Remove(names ...string) error
}

// PackFile is an open pack.
type PackFile interface {
	io.ReaderAt
	io.Closer
	Stat() (fs.FileInfo, error)
}

// Files is the storage that is the directory pack of an objects directory, as git has it.
type Files string

var _ PackStorage = Files("")

func (f Files) path(name string) string { return filepath.Join(string(f), "pack", name) }

// Names implements PackStorage. No directory is an empty one.
func (f Files) Names() (names []string, err error) {
	entries, err := os.ReadDir(f.path(""))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, entry := range entries {
		if name, isIndex := strings.CutSuffix(entry.Name(), ".idx"); isIndex && strings.HasPrefix(name, "pack-") {
			names = append(names, name)
		}
	}
	return names, nil
}

// Stat implements PackStorage.
func (f Files) Stat(name string) (fs.FileInfo, error) { return os.Stat(f.path(name) + ".pack") }

// Open implements PackStorage.
func (f Files) Open(name string) (PackFile, []byte, error) {
	index, err := os.ReadFile(f.path(name) + ".idx")
	if err != nil {
		return nil, nil, err
	}
	file, err := os.Open(f.path(name) + ".pack")
	if err != nil {
		return nil, nil, err
	}
	return file, index, nil
}

// Put implements PackStorage.
func (f Files) Put(name, pack, index string) error {
	if err := os.MkdirAll(f.path(""), 0o755); err != nil {
		return err
	}
	to := f.path(name)
	if _, err := os.Stat(to + ".idx"); err == nil {
		return nil // the very same pack arrived before
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Readers look for indexes, so the index goes last.
	for _, move := range [][2]string{{pack, to + ".pack"}, {index, to + ".idx"}} {
		if err := os.Chmod(move[0], 0o444); err != nil {
			return err
		}
		if err := os.Rename(move[0], move[1]); err != nil {
			return err
		}
	}
	return atomicfile.SyncDir(f.path(""))
}

// Remove implements PackStorage.
func (f Files) Remove(names ...string) error {
	for _, name := range names {
		// Readers look for indexes, so the index goes first.
		for _, suffix := range []string{".idx", ".pack"} {
			if err := os.Remove(f.path(name) + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return atomicfile.SyncDir(f.path(""))
}
