package gitserver

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// repository is one bare repository, open. Its store may be read by many; its
// refs are changed by the holder of the repository's lock alone.
type repository struct {
	dir string
	ref catalog.ImageRef
	*objects.Store
}

// discard closes what was only read, where a failure loses nothing.
func discard(c io.Closer) { _ = c.Close() }

const defaultBranch = "refs/heads/main"

func initRepository(dir string) error {
	for _, sub := range []string{"objects/pack", "objects/info", "refs/heads", "refs/tags"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	// The directories themselves must survive a crash that comes after the push.
	for _, sub := range []string{"refs", "objects", ""} {
		if err := objects.SyncDir(filepath.Join(dir, sub)); err != nil {
			return err
		}
	}
	config := "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"
	return errors.Join(
		writeFile(filepath.Join(dir, "config"), config),
		writeFile(filepath.Join(dir, "HEAD"), "ref: "+defaultBranch+"\n"),
	)
}

// writeFile replaces a file so that a crash leaves the old or the new content.
// It fails when somebody else holds the file's lock.
func writeFile(path, content string) error {
	lock := path + ".lock"
	if err := writeLock(lock, content); err != nil {
		return err
	}
	return moveLock(lock, path)
}

func writeLock(lock, content string) error {
	f, err := os.OpenFile(lock, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(lock))
	}
	return nil
}

func moveLock(lock, path string) error {
	if err := os.Rename(lock, path); err != nil {
		return errors.Join(err, os.Remove(lock))
	}
	return objects.SyncDir(filepath.Dir(path))
}

// commit reads a commit. Errors: NotFound.
func (r *repository) commit(h plumbing.Hash) (objects.Commit, error) {
	data, err := r.GetTyped(h, plumbing.CommitObject)
	if errors.Is(err, objects.ErrNotFound) {
		return objects.Commit{}, catalog.Errorf(catalog.NotFound, "%s has no commit %s", r.ref, h)
	}
	if err != nil {
		return objects.Commit{}, err
	}
	return objects.ParseCommit(data)
}

// isStill tells whether the repository's directory is the one that was seen
// before: objects were checked against what that held. Errors: Conflict.
func (r *repository) isStill(place os.FileInfo) error {
	if place == nil {
		return nil // there was none, so nothing was built upon
	}
	if now, err := os.Stat(r.dir); err != nil || !os.SameFile(place, now) {
		return catalog.Errorf(catalog.Conflict, "%s was deleted meanwhile; try again to make it anew", r.ref)
	}
	return nil
}

// head returns the branch HEAD names, which need not exist.
func (r *repository) head() (string, error) {
	data, err := os.ReadFile(filepath.Join(r.dir, "HEAD"))
	name, _ := strings.CutPrefix(strings.TrimSpace(string(data)), "ref: ")
	return name, err
}

// pointHead makes HEAD name a branch that exists, when there is one, so that
// a clone has something to check out.
func (r *repository) pointHead() error {
	name, err := r.head()
	if err != nil {
		return err
	}
	if _, ok, err := r.readRef(name); ok || err != nil {
		return err
	}
	best := ""
	err = r.eachRef("refs/heads/", func(f gitRef) error {
		if best == "" || f.Name == defaultBranch || (f.Name == "refs/heads/master" && best != defaultBranch) {
			best = f.Name
		}
		return nil
	})
	if err != nil {
		return err
	}
	if best == "" {
		return nil
	}
	return writeFile(filepath.Join(r.dir, "HEAD"), "ref: "+best+"\n")
}

// shallow returns the commits whose parents the repository does not have.
func (r *repository) shallow() ([]plumbing.Hash, error) {
	data, err := os.ReadFile(filepath.Join(r.dir, "shallow"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var hashes []plumbing.Hash
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		if h := lines.Text(); plumbing.IsHash(h) {
			hashes = append(hashes, plumbing.NewHash(h))
		}
	}
	return hashes, nil
}

// addShallow records ends of history. The caller holds the lock.
func (r *repository) addShallow(ends []plumbing.Hash) error {
	if len(ends) == 0 {
		return nil
	}
	known, err := r.shallow()
	if err != nil {
		return err
	}
	var text strings.Builder
	all := append(known, ends...)
	slices.SortFunc(all, func(a, b plumbing.Hash) int { return bytes.Compare(a[:], b[:]) })
	for _, h := range slices.Compact(all) {
		text.WriteString(h.String() + "\n")
	}
	return writeFile(filepath.Join(r.dir, "shallow"), text.String())
}
