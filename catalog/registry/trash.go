package registry

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// trashDir is where the collector moves blobs, <algorithm>:<hex>, for another grace time.
// What turns out to be needed comes back from there.
const trashDir = "trash"

func (r *Registry) trashPath(d digest.Digest) string {
	return filepath.Join(r.dir, trashDir, d.String())
}

// discard moves a blob's file to the trash.
func (r *Registry) discard(path string, d digest.Digest) error {
	if err := os.MkdirAll(filepath.Join(r.dir, trashDir), 0o700); err != nil {
		return err
	}
	// First: another collection takes from the trash what has not changed for long.
	now := time.Now()
	if err := os.Chtimes(path, now, now); err != nil {
		return err
	}
	return os.Rename(path, r.trashPath(d))
}

// restore brings a blob back from the trash, if it is there and nowhere else.
func (r *Registry) restore(d digest.Digest) (restored bool, err error) {
	if _, err := os.Stat(r.trashPath(d)); err != nil {
		return false, ignoreNotExist(err)
	}
	unlock, err := r.lockUses(unix.LOCK_SH) // the directory, which may have gone with the blob, does not go meanwhile
	if err != nil {
		return false, err
	}
	defer unlock()
	if err := os.MkdirAll(filepath.Dir(r.blobPath(d)), 0o700); err != nil {
		return false, err
	}
	if err := os.Link(r.trashPath(d), r.blobPath(d)); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return false, nil
		}
		return false, err
	}
	r.logger.Warn("restored a blob that is needed from the trash", "digest", d)
	return true, os.Remove(r.trashPath(d))
}

// emptyTrash removes what has been in it since before a time, and counts it.
func (r *Registry) emptyTrash(ctx context.Context, before time.Time, gone *BlobCount) error {
	entries, err := os.ReadDir(filepath.Join(r.dir, trashDir))
	if err != nil {
		return ignoreNotExist(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.ModTime().Before(before) {
			if err = os.Remove(filepath.Join(r.dir, trashDir, e.Name())); err == nil {
				gone.add(info.Size())
			}
		}
		if err := errors.Join(ignoreNotExist(err), ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
