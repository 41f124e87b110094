package objects

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/internal/atomicfile"
)

// Storage keeps the objects of one repository. They come as packs, and packs never change: a pack has a name,
// "pack-<hash>", and an index. What waits in quarantine is in files of this machine until Put.
type Storage interface {
	// Names returns the packs that are whole.
	Names() ([]string, error)
	// Stat tells of a pack without opening it. Errors: fs.ErrNotExist.
	Stat(name string) (PackInfo, error)
	// Open returns a pack, which can be read until its file is closed, also when it was removed.
	// Errors: fs.ErrNotExist.
	Open(name string) (*Pack, error)
	// OpenLoose returns an object that is in no pack, compressed, as git stores it. Only git's own commands on the
	// server leave such. Errors: fs.ErrNotExist.
	OpenLoose(h plumbing.Hash) (io.ReadCloser, error)
	// Loose returns the objects that are in no pack.
	Loose() ([]plumbing.Hash, error)
	// Put takes the files of a pack and of its index, which are on disk for good. They are there for good when
	// it returns, and visible only when both are. What is there already stays.
	Put(name, pack, index string) error
	// Remove removes packs for good; one that is not there is no error.
	Remove(names ...string) error
}

// PackInfo is what is known of a pack.
type PackInfo struct {
	// ID is of this pack alone, of all packs of all repositories: one that takes its name later has another. Packs has
	// a pack open once for all stores by it.
	ID    string
	Size  int64 // in bytes, without the index
	PutAt time.Time
}

// Pack is an open pack.
type Pack struct {
	Info  PackInfo
	File  PackFile
	Index []byte // git's, of version 2
}

// PackFile is what a pack consists of.
type PackFile interface {
	io.ReaderAt
	io.Closer
}

// Files is the storage that is an objects directory as git has it.
type Files string

var _ Storage = Files("")

// NewFiles returns the storage that is an objects directory.
func NewFiles(objectsDir string) Storage { return Files(objectsDir) }

func (f Files) path(name string) string { return filepath.Join(string(f), "pack", name) }

// Names implements Storage. No directory is an empty one.
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

// Stat implements Storage.
func (f Files) Stat(name string) (PackInfo, error) {
	file, err := os.Stat(f.path(name) + ".pack")
	if err != nil {
		return PackInfo{}, err
	}
	return f.info(name, file), nil
}

// Open implements Storage.
func (f Files) Open(name string) (*Pack, error) {
	index, err := os.ReadFile(f.path(name) + ".idx")
	if err != nil {
		return nil, err
	}
	file, err := os.Open(f.path(name) + ".pack")
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Pack{Info: f.info(name, info), File: file, Index: index}, nil
}

// info tells a file from another that has or had its path: the inode is its own while it is open.
func (f Files) info(name string, file fs.FileInfo) PackInfo {
	info := PackInfo{Size: file.Size(), PutAt: file.ModTime()}
	info.ID = fmt.Sprint(f.path(name), " ", info.PutAt.UnixNano())
	if stat, ok := file.Sys().(*syscall.Stat_t); ok {
		info.ID += fmt.Sprint(" ", stat.Dev, " ", stat.Ino)
	}
	return info
}

// OpenLoose implements Storage.
func (f Files) OpenLoose(h plumbing.Hash) (io.ReadCloser, error) {
	hex := h.String()
	return os.Open(filepath.Join(string(f), hex[:2], hex[2:]))
}

// Loose implements Storage.
func (f Files) Loose() (loose []plumbing.Hash, err error) {
	dirs, err := os.ReadDir(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, dir := range dirs {
		if len(dir.Name()) != 2 || !dir.IsDir() {
			continue
		}
		files, err := os.ReadDir(filepath.Join(string(f), dir.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // git removes one that is empty
			return nil, err
		}
		for _, file := range files {
			if h, ok := ParseHash([]byte(dir.Name() + file.Name())); ok {
				loose = append(loose, h)
			}
		}
	}
	return loose, err
}

// Put implements Storage.
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

// Remove implements Storage.
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
