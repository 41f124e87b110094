package registry

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/catalog"
)

// blobsDir is where the distribution project's filesystem layout keeps blobs,
// manifests among them: <algorithm>/<2 digits>/<hex>/data.
const blobsDir = "docker/registry/v2/blobs"

// usesLock is held, shared, while blobs are marked as in use, and exclusively
// while one is removed. It is a file, because admin commands are processes of
// their own.
const usesLock = "uses.lock"

func (r *Registry) blobPath(d digest.Digest) string {
	hex := d.Encoded()
	return filepath.Join(r.dir, filepath.FromSlash(blobsDir), d.Algorithm().String(), hex[:2], hex, "data")
}

// stored returns the digest that a blob is kept by: the library keeps those that a repository
// has by another algorithm's digest by their SHA-256. What is not there stays as it is.
func (r *Registry) stored(ref catalog.ImageRef, d digest.Digest) (digest.Digest, error) {
	if known := d.Validate() == nil; !known || d.Algorithm() == digest.SHA256 {
		return d, nil
	}
	text, err := os.ReadFile(r.linkPath(ref, d))
	if err != nil {
		return d, ignoreNotExist(err)
	}
	return digest.Parse(string(text))
}

// linkPath is where a repository's link to a blob is.
func (r *Registry) linkPath(ref catalog.ImageRef, d digest.Digest) string {
	return filepath.Join(r.repositoryDir(ref), layersDir, d.Algorithm().String(), d.Encoded(), "link")
}

// repositoryDir is where the distribution project's layout keeps what a repository has.
func (r *Registry) repositoryDir(ref catalog.ImageRef) string {
	return filepath.Join(r.dir, filepath.FromSlash(repositoriesDir), filepath.FromSlash(ref.Repository()))
}

// use marks blobs of a repository as in use now, so that the collector leaves them alone for
// its grace time: a client that was told of a blob does not send it again. A
// blob's time of change is the mark, and that of the repository's link to it and, until there is a blob, of where it is to be.
func (r *Registry) use(ref catalog.ImageRef, digests ...digest.Digest) error {
	unlock, err := r.lockUses(unix.LOCK_SH)
	if err != nil {
		return err
	}
	defer unlock()
	now := time.Now()
	for _, d := range digests {
		if d.Validate() != nil {
			continue // the app refuses it in its own words
		}
		blob := r.blobPath(d)
		err := os.Chtimes(blob, now, now)
		if errors.Is(err, fs.ErrNotExist) {
			err = ignoreNotExist(os.Chtimes(filepath.Dir(blob), now, now))
		}
		if err = errors.Join(err, ignoreNotExist(os.Chtimes(r.linkPath(ref, d), now, now))); err != nil {
			return err
		}
	}
	return nil
}

// useTag marks all of the image that a build's own tag names: a build that finds
// its tag right, from an earlier attempt, stores nothing again.
func (r *Registry) useTag(ctx context.Context, ref catalog.ImageRef, tag string) error {
	repository, err := r.repository(ctx, ref)
	if err != nil {
		return err
	}
	d, err := repository.Tags(ctx).Get(ctx, tag)
	if err != nil {
		return ignoreMissing(err)
	}
	found := map[digest.Digest]int64{}
	if err := r.reach(ref, d.Digest, found); err != nil {
		return err
	}
	return r.use(ref, slices.Collect(maps.Keys(found))...)
}

// holdsManifest reports whether a repository holds a manifest.
func (r *Registry) holdsManifest(ctx context.Context, ref catalog.ImageRef, d digest.Digest) (bool, error) {
	repository, err := r.repository(ctx, ref)
	if err != nil || d.Validate() != nil {
		return false, err
	}
	manifests, err := repository.Manifests(ctx)
	if err != nil {
		return false, err
	}
	return manifests.Exists(ctx, d)
}

// holdsBlob reports whether a repository holds a blob.
func (r *Registry) holdsBlob(ctx context.Context, ref catalog.ImageRef, d digest.Digest) (bool, error) {
	repository, err := r.repository(ctx, ref)
	if err != nil || d.Validate() != nil {
		return false, err
	}
	_, err = repository.Blobs(ctx).Stat(ctx, d)
	if errors.Is(err, distribution.ErrBlobUnknown) {
		return false, nil
	}
	return err == nil, err
}

// lockUses opens the lock anew each time: a lock belongs to an open file.
func (r *Registry) lockUses(how int) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(r.dir, usesLock), os.O_RDONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(f.Fd()), how); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil // closing gives the lock back
}

// manifestOf reads a stored manifest's references. Errors: NotFound.
func (r *Registry) manifestOf(d digest.Digest) (m manifestParts, size int64, err error) {
	if err := d.Validate(); err != nil {
		return m, 0, catalog.Wrap(catalog.NotFound, err, "%s is not a valid digest", d)
	}
	data, err := os.ReadFile(r.blobPath(d))
	if errors.Is(err, fs.ErrNotExist) {
		restored, restoreErr := r.restore(d)
		if restored && restoreErr == nil {
			return r.manifestOf(d)
		}
		err = errors.Join(err, restoreErr)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return m, 0, catalog.Wrap(catalog.NotFound, err, "there is no manifest %s", d)
	}
	if err != nil {
		return m, 0, err
	}
	return m, int64(len(data)), json.Unmarshal(data, &m)
}

// reach adds to found a repository's manifest and all it refers to, with sizes in bytes.
// What is missing is left out.
func (r *Registry) reach(ref catalog.ImageRef, d digest.Digest, found map[digest.Digest]int64) error {
	if _, known := found[d]; known {
		return nil
	}
	m, size, err := r.manifestOf(d)
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	found[d] = size
	return r.reachParts(ref, m, found)
}

// reachParts is reach for all that a manifest refers to.
func (r *Registry) reachParts(ref catalog.ImageRef, m manifestParts, found map[digest.Digest]int64) error {
	for _, part := range m.blobs() {
		if part.Digest.Validate() != nil {
			continue
		}
		blob, err := r.stored(ref, part.Digest)
		if err != nil {
			return err
		}
		info, err := os.Stat(r.blobPath(blob))
		if errors.Is(err, fs.ErrNotExist) {
			restored, restoreErr := r.restore(blob)
			if restoreErr != nil {
				return restoreErr
			}
			if !restored {
				continue // a layer that is kept elsewhere
			}
			info, err = os.Stat(r.blobPath(blob))
		}
		if err != nil {
			return err
		}
		found[blob] = info.Size()
	}
	for _, child := range m.children() {
		if err := r.reach(ref, child.Digest, found); err != nil {
			return err
		}
	}
	return nil
}

// bytesOf returns what an image takes: its manifests, configurations and layers.
func (r *Registry) bytesOf(ref catalog.ImageRef, d digest.Digest) (total int64, err error) {
	found := map[digest.Digest]int64{}
	if err := r.reach(ref, d, found); err != nil {
		return 0, err
	}
	for _, size := range found {
		total += size
	}
	return total, nil
}
