package objects

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
)

// Install moves a resolved pack into a repository's objects directory. The
// objects are on disk for good when it returns, and visible to readers only
// when all of them are.
func (in *Incoming) Install(objectsDir string) error {
	if len(in.entries) == 0 {
		return nil
	}
	if err := in.file.Sync(); err != nil {
		return err
	}
	index := filepath.Join(in.dir, "incoming.idx")
	if err := in.writeIndex(index); err != nil {
		return err
	}
	dir := filepath.Join(objectsDir, "pack")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	name := filepath.Join(dir, "pack-"+in.checksum.String())
	if _, err := os.Stat(name + ".idx"); err == nil {
		return nil // the very same pack arrived before
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Readers look for indexes, so the index goes last.
	for _, move := range [][2]string{{in.file.Name(), name + ".pack"}, {index, name + ".idx"}} {
		if err := os.Chmod(move[0], 0o444); err != nil {
			return err
		}
		if err := os.Rename(move[0], move[1]); err != nil {
			return err
		}
	}
	return SyncDir(dir)
}

func (in *Incoming) writeIndex(path string) error {
	var w idxfile.Writer
	if err := w.OnHeader(uint32(len(in.entries))); err != nil {
		return err
	}
	for i := range in.entries {
		e := &in.entries[i]
		w.Add(e.hash, uint64(e.offset), e.crc)
	}
	if err := w.OnFooter(in.checksum); err != nil {
		return err
	}
	index, err := w.Index()
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	buf := bufio.NewWriterSize(f, 64<<10)
	_, err = idxfile.NewEncoder(buf).Encode(index)
	return errors.Join(err, buf.Flush(), f.Sync(), f.Close())
}

// SyncDir makes renames in a directory survive a crash.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
