package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/periodic"
)

// CollectOptions say how Collect works.
type CollectOptions struct {
	// Grace is how long an unneeded blob stays after it was last used. It must
	// be longer than any push takes.
	Grace  time.Duration
	DryRun bool // remove nothing
	// EmptyTrash removes at once what earlier collections took, and does not keep it for another Grace.
	EmptyTrash bool
	Force      bool             // remove however much it is, see mostAtOnce
	Report     func(VersionUse) // called for each built version, unless nil
}

// What a run may remove without being forced to is half of all bytes, if that is more than
// this: a catalog that lost its versions must not cost the images, too.
const (
	mostAtOnce  = 2 // 1 part in so many
	alwaysTaken = 1 << 30
)

// Collection is what Collect found and did.
type Collection struct {
	Kept  BlobCount // what versions need, and what was used lately
	Freed BlobCount // of a dry run: what would go
	// Uploads are those that went because no client sent more of them for the grace time; of a
	// dry run: would go. What Collect gives with an error counts them, too.
	Uploads BlobCount
	Trash   BlobCount // what went from the trash for good; of a dry run: nothing
}

// VersionUse is what one version takes. Bytes it shares with others are counted
// for each of them.
type VersionUse struct {
	Image   catalog.ImageRef
	Version string
	Bytes   int64
	Own     int64 // bytes that no other version needs
}

// BlobCount is a number of blobs and their size.
type BlobCount struct {
	Blobs int
	Bytes int64
}

func (c *BlobCount) add(size int64) { c.Blobs++; c.Bytes += size }

// Collect moves the blobs that no built version and no Git LFS object needs and no client has used
// for the grace time to the trash, where they stay for another. Pushes, pulls and builds go on
// meanwhile: whatever a client was told of stays for the grace time. Uploads that no client went on
// with for as long are removed, whatever the catalog says. Any error ends it: nothing goes
// that is not known to be unneeded. Errors: Conflict (it would be too much, see mostAtOnce), and those of Config.Removing.
func (r *Registry) Collect(ctx context.Context, o CollectOptions) (Collection, error) {
	// Taken before the catalog is read: what becomes needed later is used later.
	before := time.Now().Add(-o.Grace)
	var result Collection
	var err error
	if result.Uploads, err = r.sweepUploads(ctx, before, o.DryRun); err != nil {
		return result, fmt.Errorf("remove abandoned uploads: %w", err)
	}
	if err := r.sweepReceived(before, o.DryRun, &result.Uploads); err != nil {
		return result, fmt.Errorf("remove abandoned Git LFS objects: %w", err)
	}
	names, err := r.names(ctx)
	if err != nil {
		return result, err
	}
	needed := map[digest.Digest]int{} // by how many versions, caches and images with Git LFS objects
	count := func(found map[digest.Digest]int64) {
		for d := range found {
			needed[d]++
		}
	}
	err = r.eachBuilt(ctx, func(_ catalog.Image, _ catalog.Version, found map[digest.Digest]int64) { count(found) })
	if err == nil {
		err = r.eachCache(ctx, count)
	}
	if err == nil {
		err = r.eachLFS(ctx, count)
	}
	if err == nil {
		err = r.checkNames(ctx, names)
	}
	if err != nil {
		return result, fmt.Errorf("find out which blobs are needed: %w", err)
	}
	if o.Report != nil {
		if err := r.report(ctx, needed, o.Report); err != nil {
			return result, err
		}
	}
	found := result
	if err := r.sweepAll(ctx, needed, before, true, &found); err != nil || o.DryRun {
		return found, err
	}
	if most := max((found.Kept.Bytes+found.Freed.Bytes)/mostAtOnce, alwaysTaken); found.Freed.Bytes > most && !o.Force {
		return result, catalog.Errorf(catalog.Conflict, "%d of %d bytes of image data would be removed, which is more than half, so nothing was removed; if that is right, run `fandoghd admin gc --force`",
			found.Freed.Bytes, found.Kept.Bytes+found.Freed.Bytes)
	}
	done, err := r.removing()
	if err != nil {
		return result, err
	}
	defer done()
	if err := r.dropUnneeded(ctx, needed, before); err != nil {
		return result, err
	}
	inTrash := before
	if o.EmptyTrash {
		inTrash = time.Now()
	}
	if err := r.emptyTrash(ctx, inTrash, &result.Trash); err != nil {
		return result, err
	}
	err = r.sweepAll(ctx, needed, before, false, &result)
	if err == nil {
		err = r.sweepLeftovers(ctx, before)
	}
	r.forgetCollected()
	return result, err
}

// sweepAll looks at every blob.
func (r *Registry) sweepAll(ctx context.Context, needed map[digest.Digest]int, before time.Time, dryRun bool, result *Collection) error {
	return r.eachBlobFile(func(d digest.Digest, file string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return r.sweep(file, d, needed, before, dryRun, result)
	})
}

func (r *Registry) report(ctx context.Context, needed map[digest.Digest]int, to func(VersionUse)) error {
	return r.eachBuilt(ctx, func(image catalog.Image, v catalog.Version, found map[digest.Digest]int64) {
		use := VersionUse{Image: image.Ref, Version: v.Name}
		for d, size := range found {
			if use.Bytes += size; needed[d] == 1 {
				use.Own += size
			}
		}
		to(use)
	})
}

// eachBuilt visits every built version with what it needs, sizes in bytes. Which there are, the
// catalog says: a directory that can't be read, or is gone, is no reason to remove anything.
func (r *Registry) eachBuilt(ctx context.Context, visit func(catalog.Image, catalog.Version, map[digest.Digest]int64)) error {
	return catalog.EachImage(ctx, r.store, "", func(image catalog.Image) error {
		signed, err := r.tagsOf(ctx, image)
		if err != nil {
			return fmt.Errorf("tags of %s: %w", image.Ref, err)
		}
		maps.DeleteFunc(signed, func(tag string, _ digest.Digest) bool { return catalog.IsRebuildTag(tag) }) // a crash left it
		return catalog.EachVersion(ctx, r.store, image.ID, func(v catalog.Version) error {
			found := map[digest.Digest]int64{}
			if err := r.need(image.Ref, digest.Digest(v.Digest), signed, found); err != nil {
				return fmt.Errorf("%s:%s: %w", image.Ref, v.Name, err)
			}
			visit(image, v, found)
			return nil
		}, catalog.Built)
	})
}

// eachCache visits what tags that are kept for caches need.
func (r *Registry) eachCache(ctx context.Context, visit func(map[digest.Digest]int64)) error {
	return catalog.EachImage(ctx, r.store, "", func(image catalog.Image) error {
		tags, err := r.tagsOf(ctx, image)
		if err != nil {
			return fmt.Errorf("tags of %s: %w", image.Ref, err)
		}
		for tag, d := range tags {
			if _, ofOne := subjectOf(tag); ofOne {
				continue // it goes with its subject
			}
			found := map[digest.Digest]int64{}
			if err := r.reach(image.Ref, d, found); err != nil {
				return fmt.Errorf("%s:%s: %w", image.Ref, tag, err)
			}
			visit(found)
		}
		return nil
	})
}

// dropUnneeded removes the tags of signatures whose manifests no version needs and no client has used lately.
func (r *Registry) dropUnneeded(ctx context.Context, needed map[digest.Digest]int, before time.Time) error {
	return catalog.EachImage(ctx, r.store, "", func(image catalog.Image) error {
		tags, err := r.tagsOf(ctx, image)
		if err != nil {
			return err
		}
		for tag, d := range tags {
			info, err := os.Stat(r.blobPath(d))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if needed[d] > 0 && !catalog.IsRebuildTag(tag) || err == nil && !info.ModTime().Before(before) {
				continue
			}
			repository, err := r.repository(ctx, image.Ref)
			if err == nil {
				err = ignoreMissing(repository.Tags(ctx).Untag(ctx, tag))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// need adds a version's image to found, and all that refers to a part of it, such as signatures:
// by its subject, or by a tag among signed. Errors: NotFound when the image itself is not there.
func (r *Registry) need(ref catalog.ImageRef, d digest.Digest, signed map[string]digest.Digest, found map[digest.Digest]int64) error {
	if _, _, err := r.manifestOf(d); err != nil {
		return err
	}
	if err := r.reach(ref, d, found); err != nil {
		return err
	}
	return r.addReferring(ref, signed, found)
}

// addReferring adds to found what refers to any of it, and what refers to that.
func (r *Registry) addReferring(ref catalog.ImageRef, signed map[string]digest.Digest, found map[digest.Digest]int64) error {
	subjects, err := os.ReadDir(r.referrersOf(ref))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for known := -1; known < len(found); { // until nothing new refers to anything
		known = len(found)
		for tag, signature := range signed {
			of, ofOne := subjectOf(tag)
			if _, ours := found[of]; ours && ofOne {
				if err := r.reach(ref, signature, found); err != nil {
					return err
				}
			}
		}
		for _, subject := range subjects {
			of := digest.NewDigestFromEncoded(digest.SHA256, subject.Name())
			if _, ours := found[of]; !ours {
				continue
			}
			referrers, err := r.referrers(ref, of)
			if err != nil {
				return err
			}
			for _, referrer := range referrers {
				if err := r.reach(ref, referrer.Digest, found); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// sweep looks at one blob's file.
func (r *Registry) sweep(path string, d digest.Digest, needed map[digest.Digest]int, before time.Time, dryRun bool, result *Collection) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if needed[d] > 0 || !info.ModTime().Before(before) {
		result.Kept.add(info.Size())
		return nil
	}
	if !dryRun {
		removed, err := r.remove(path, d, before)
		if err != nil {
			return err
		}
		if !removed {
			result.Kept.add(info.Size())
			return nil
		}
	}
	result.Freed.add(info.Size())
	return nil
}

// remove moves a blob to the trash unless it was used meanwhile. Its directory stays, for sweepLeftovers: an
// upload could be about to move the same blob there.
func (r *Registry) remove(path string, d digest.Digest, before time.Time) (bool, error) {
	unlock, err := r.lockUses(unix.LOCK_EX)
	if err != nil {
		return false, err
	}
	defer unlock()
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || !info.ModTime().Before(before) {
		return false, err
	}
	return true, r.discard(path, d)
}

// busyPause is how long a collection waits when nothing may be removed.
const busyPause = time.Minute

// CollectEvery collects on a schedule until ctx ends. It returns nil.
func (r *Registry) CollectEvery(ctx context.Context, every, grace time.Duration) error {
	periodic.Run(ctx, every, func(ctx context.Context) { r.CollectNow(ctx, CollectOptions{Grace: grace}) })
	return nil
}

// CollectNow collects when nothing keeps it from that, and logs what came of it.
func (r *Registry) CollectNow(ctx context.Context, o CollectOptions) {
	start := time.Now()
	done, err := r.Collect(ctx, o)
	for catalog.CodeOf(err) == catalog.Unavailable && ctx.Err() == nil {
		select { // a backup runs
		case <-ctx.Done():
		case <-time.After(busyPause):
			done, err = r.Collect(ctx, o)
		}
	}
	if err != nil {
		if ctx.Err() == nil {
			r.logger.Error("failed to collect unused blobs", "error", err)
		}
		return
	}
	r.logger.Info("collected unused blobs", "freed", done.Freed.Blobs, "freed_bytes", done.Freed.Bytes,
		"kept", done.Kept.Blobs, "kept_bytes", done.Kept.Bytes, "uploads", done.Uploads.Blobs, "upload_bytes", done.Uploads.Bytes, "took", time.Since(start).Round(time.Millisecond))
}
