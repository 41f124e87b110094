package registry

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	// repositoriesDir is where the distribution project's layout keeps a repository's links
	// to blobs, and in uploadsDir a directory for each unfinished upload.
	repositoriesDir = "docker/registry/v2/repositories"
	uploadsDir      = "_uploads"
	// beginnersDir has a link to each unfinished upload, <user's ID>/<upload>. One to an
	// upload that has ended says nothing.
	beginnersDir = "uploads"
	// maxUploads bounds a user's unfinished uploads.
	maxUploads = 500
)

// uploadsOf is where an image's unfinished uploads are.
func (r *Registry) uploadsOf(ref catalog.ImageRef) string {
	return filepath.Join(r.repositoryDir(ref), uploadsDir)
}

// beginUpload has the app begin an upload, and notes whose it is.
func (c *call) beginUpload() error {
	more := catalog.Amounts{Bytes: max(c.req.ContentLength, 1)}
	if c.req.URL.Query().Has("mount") {
		more.Bytes = 0 // what the manifest comes to is asked with it
	}
	if err := c.admit(more); err != nil {
		return err
	}
	if err := c.useNamed(); err != nil {
		return err
	}
	if err := c.meterUpload(0, ""); err != nil {
		return err
	}
	answer, err := c.registry.begin(c.id, c.image, c.req)
	if err != nil {
		return err
	}
	c.noteUpload(answer.header.Get("Docker-Upload-UUID"), answer)
	answer.sendTo(c.w)
	return nil
}

// noRoom is what clients are told of a refusal.
func noRoom(err error) error {
	if errors.Is(err, catalog.ErrNearlyFull) {
		err = catalog.Wrap(catalog.Forbidden, err, "%s", catalog.MessageOf(err))
	}
	return err
}

// continueUpload has the app go on with an upload, tell of it, or end it.
func (c *call) continueUpload() error {
	if err := c.useNamed(); err != nil {
		return err
	}
	if c.req.Method == http.MethodPatch {
		c.req.Header.Del("Content-Type") // bytes, whatever clients call them
	}
	if err := c.registry.useUpload(c.image, c.vars["uuid"]); err != nil {
		return err
	}
	length, undo, err := c.registry.noteLength(c.image, c.vars["uuid"])
	if err == nil {
		err = c.meterUpload(length, uploadKey(c.image.Ref, c.vars["uuid"]))
	}
	if err != nil {
		return err
	}
	answer, err := c.registry.ask(c.req)
	if err != nil {
		err = errors.Join(err, undo())
		c.notePending(uploadKey(c.image.Ref, c.vars["uuid"]), length)
		return err
	}
	c.noteUpload(c.vars["uuid"], answer)
	answer.sendTo(c.w)
	return nil
}

// noteLength returns an upload's length, and what cuts it to that. A client that is told of a failure of ours sends
// the same again, to the address that tells where it begins.
func (r *Registry) noteLength(image catalog.Image, upload string) (length int64, undo func() error, err error) {
	if !filepath.IsLocal(upload) {
		return 0, func() error { return nil }, nil
	}
	file := filepath.Join(r.uploadsOf(image.Ref), upload, "data")
	info, err := os.Stat(file)
	if err == nil {
		length = info.Size()
	}
	return length, func() error { return ignoreNotExist(os.Truncate(file, length)) }, ignoreNotExist(err)
}

// useNamed marks the blobs that an upload names as in use. It drops a wish to mount one from
// a repository that the identity can't read. The client then uploads it, as if the blob were not there.
func (c *call) useNamed() error {
	query := c.req.URL.Query()
	if query.Has("mount") || query.Has("from") {
		if _, err := c.registry.image(c.req.Context(), c.id, query.Get("from")); err != nil {
			query.Del("mount")
			query.Del("from")
			c.req.URL.RawQuery = query.Encode()
		}
	}
	return c.registry.use(c.image.Ref, digest.Digest(query.Get("digest")), digest.Digest(query.Get("mount")))
}

func (r *Registry) begin(id catalog.Identity, image catalog.Image, req *http.Request) (*bufferedResponse, error) {
	mine := filepath.Join(r.dir, beginnersDir, strconv.FormatInt(id.User.ID, 10))
	if id.Build == nil {
		if err := mayBegin(mine); err != nil {
			return nil, err
		}
	}
	// The collector removes directories that are empty.
	unlock, err := r.lockUses(unix.LOCK_SH)
	if err != nil {
		return nil, err
	}
	defer unlock()
	answer, err := r.ask(req)
	if err != nil {
		return nil, err
	}
	upload := answer.header.Get("Docker-Upload-UUID")
	if answer.status != http.StatusAccepted || id.Build != nil {
		return answer, nil
	}
	if err := os.MkdirAll(mine, 0o700); err != nil {
		return nil, err
	}
	return answer, os.Symlink(filepath.Join(r.uploadsOf(image.Ref), upload), filepath.Join(mine, upload))
}

// mayBegin refuses more uploads than one user may have. Errors: RateLimited.
func mayBegin(mine string) error {
	begun, err := os.ReadDir(mine)
	if ignoreNotExist(err) != nil || len(begun) < maxUploads {
		return ignoreNotExist(err)
	}
	unfinished, err := dropEnded(mine)
	if err == nil && unfinished >= maxUploads {
		err = catalog.Errorf(catalog.RateLimited, "you have %d unfinished uploads; finish them, cancel them with DELETE, or wait until they are removed as abandoned", unfinished)
	}
	return err
}

// dropEnded removes the links to uploads that have ended, and counts the others.
func dropEnded(beginner string) (unfinished int, err error) {
	links, err := os.ReadDir(beginner)
	if err != nil {
		return 0, ignoreNotExist(err)
	}
	for _, link := range links {
		path := filepath.Join(beginner, link.Name())
		// Of a cancelled upload the library leaves the directory, without the file by which it began.
		_, err := os.Stat(filepath.Join(path, "startedat"))
		if err == nil {
			unfinished++
			continue
		}
		if err = ignoreNotExist(err); err == nil {
			err = ignoreNotExist(os.Remove(path))
		}
		if err != nil {
			return 0, err
		}
	}
	return unfinished, nil
}

// useUpload marks an upload as going on. One that is not there is the app's to refuse.
func (r *Registry) useUpload(image catalog.Image, upload string) error {
	if !filepath.IsLocal(upload) {
		return nil
	}
	unlock, err := r.lockUses(unix.LOCK_SH)
	if err != nil {
		return err
	}
	defer unlock()
	now := time.Now()
	return ignoreNotExist(os.Chtimes(filepath.Join(r.uploadsOf(image.Ref), upload), now, now))
}

// sweepUploads removes the uploads that no client went on with since before a time. It looks at
// directories and not at the catalog: an upload may come before its image.
func (r *Registry) sweepUploads(ctx context.Context, before time.Time, dryRun bool) (removed BlobCount, err error) {
	uploads, err := r.inRepositories(uploadsDir, 1)
	if err != nil {
		return removed, err
	}
	for _, upload := range uploads {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		if err := r.sweepUpload(upload, before, dryRun, &removed); err != nil {
			return removed, err
		}
	}
	if dryRun {
		return removed, nil
	}
	beginners, err := listAll([]string{filepath.Join(r.dir, beginnersDir)}, 1)
	for _, beginner := range beginners {
		_, dropErr := dropEnded(beginner)
		err = errors.Join(err, dropErr)
	}
	return removed, err
}

// inRepositories returns the directories so many levels below one of each repository. It looks at directories and not at the catalog.
func (r *Registry) inRepositories(dir string, levels int) ([]string, error) {
	repositories, err := listAll([]string{filepath.Join(r.dir, filepath.FromSlash(repositoriesDir))}, 2) // namespace, image
	if err != nil {
		return nil, err
	}
	for i := range repositories {
		repositories[i] = filepath.Join(repositories[i], dir)
	}
	return listAll(repositories, levels)
}

// listAll returns the directories so many levels below some. One that is gone is empty.
func listAll(dirs []string, levels int) ([]string, error) {
	for range levels {
		var below []string
		for _, dir := range dirs {
			entries, err := os.ReadDir(dir)
			if ignoreNotExist(err) != nil {
				return nil, err
			}
			for _, entry := range entries {
				if entry.IsDir() {
					below = append(below, filepath.Join(dir, entry.Name()))
				}
			}
		}
		dirs = below
	}
	return dirs, nil
}

// sweepUpload removes one upload if it was left before a time, and what directories it leaves empty.
func (r *Registry) sweepUpload(dir string, before time.Time, dryRun bool, removed *BlobCount) error {
	unlock, err := r.lockUses(unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer unlock()
	size, last, err := lookAt(dir)
	if err != nil || !last.Before(before) {
		return ignoreNotExist(err) // it has just ended
	}
	if !dryRun {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		for range 3 { // uploadsDir, image, namespace
			dir = filepath.Dir(dir)
			if os.Remove(dir) != nil {
				break // not empty
			}
		}
	}
	removed.add(size)
	return nil
}

// lookAt returns how many bytes a directory's files have, and when any of it changed last.
func lookAt(dir string) (size int64, last time.Time, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.ModTime().After(last) {
			last = info.ModTime()
		}
		if info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	return size, last, err
}
