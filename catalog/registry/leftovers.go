package registry

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// layersDir is where the distribution project's layout keeps a repository's links to blobs, <algorithm>/<hex>/link.
const layersDir = "_layers"

// sweepLeftovers removes what is left of blobs that are gone, which the library never does: the repositories' links to
// them, and directories that have become empty. What an upload is about to fill was marked by use, and stays.
func (r *Registry) sweepLeftovers(ctx context.Context, before time.Time) error {
	links, err := r.inRepositories(layersDir, 2)                                            // algorithm, hex
	blobs, err2 := listAll([]string{filepath.Join(r.dir, filepath.FromSlash(blobsDir))}, 3) // algorithm, two digits, hex
	subjects, err3 := listAll([]string{filepath.Join(r.dir, referrersDir)}, 3)              // namespace, image, subject
	if err := errors.Join(err, err2, err3); err != nil {
		return err
	}
	for _, dir := range links {
		if err := errors.Join(ctx.Err(), r.dropLink(dir, before)); err != nil {
			return err
		}
	}
	for _, dir := range slices.Concat(blobs, subjects) {
		if err := errors.Join(ctx.Err(), r.dropEmpty(dir, before)); err != nil {
			return err
		}
	}
	return nil
}

// dropLink removes a repository's link to a blob that is neither there nor in the trash.
func (r *Registry) dropLink(dir string, before time.Time) error {
	link := filepath.Join(dir, "link")
	text, err := os.ReadFile(link)
	if err != nil {
		return ignoreNotExist(err)
	}
	d := digest.Digest(text)
	if d.Validate() != nil {
		return nil //nolint:nilerr // `fandoghd admin check` tells of it
	}
	isDead := func() bool {
		return isOld(link, before) && isMissing(r.blobPath(d)) && isMissing(r.trashPath(d))
	}
	return r.dropIf(isDead, func() error { return os.RemoveAll(dir) })
}

// dropEmpty removes a directory with nothing in it.
func (r *Registry) dropEmpty(dir string, before time.Time) error {
	isEmpty := func() bool {
		entries, err := os.ReadDir(dir)
		return err == nil && len(entries) == 0 && isOld(dir, before)
	}
	return r.dropIf(isEmpty, func() error { return ignoreNotExist(os.Remove(dir)) })
}

// dropIf drops what holds when it is asked, and once more when nothing can be marked as in use.
func (r *Registry) dropIf(holds func() bool, drop func() error) error {
	if !holds() {
		return nil
	}
	unlock, err := r.lockUses(unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer unlock()
	if !holds() {
		return nil
	}
	return drop()
}

func isOld(path string, before time.Time) bool {
	info, err := os.Lstat(path)
	return err == nil && info.ModTime().Before(before)
}

func isMissing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}
