package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/catalog"
)

// CollectOptions say how Collect works.
type CollectOptions struct {
	// Grace is how long an unneeded blob stays after it was last used. It must
	// be longer than any push takes.
	Grace  time.Duration
	DryRun bool             // remove nothing
	Report func(VersionUse) // called for each built version, unless nil
}

// Collection is what Collect found and did.
type Collection struct {
	Kept  BlobCount // what versions need, and what was used lately
	Freed BlobCount // of a dry run: what would go
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

// Collect removes the blobs that no built version needs and nobody has used
// for the grace time. Pushes, pulls and builds go on meanwhile: whatever a
// client was told of stays for the grace time.
func (r *Registry) Collect(ctx context.Context, o CollectOptions) (Collection, error) {
	// Taken before the catalog is read: what becomes needed later is used later.
	before := time.Now().Add(-o.Grace)
	var result Collection
	needed := map[digest.Digest]int{} // by how many versions
	err := r.eachBuilt(ctx, func(_ catalog.Image, _ catalog.Version, found map[digest.Digest]int64) {
		for d := range found {
			needed[d]++
		}
	})
	if err != nil {
		return result, fmt.Errorf("find out which blobs are needed: %w", err)
	}
	if o.Report != nil {
		if err := r.report(ctx, needed, o.Report); err != nil {
			return result, err
		}
	}
	root := filepath.Join(r.dir, filepath.FromSlash(blobsDir))
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || entry.IsDir() || entry.Name() != "data" {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return r.sweep(path, needed, before, o.DryRun, &result)
	})
	return result, err
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

// eachBuilt visits every built version with what it needs, sizes in bytes. It
// goes by the repositories on disk: one without an image was deleted, or is a
// push that has not come to anything.
func (r *Registry) eachBuilt(ctx context.Context, visit func(catalog.Image, catalog.Version, map[digest.Digest]int64)) error {
	dirs, err := filepath.Glob(filepath.Join(r.dir, filepath.FromSlash(repositoriesDir), "*", "*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		ref := catalog.ImageRef{Namespace: filepath.Base(filepath.Dir(dir)), Name: filepath.Base(dir)}
		image, err := r.store.Image(ctx, ref)
		if catalog.CodeOf(err) == catalog.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		filter := catalog.VersionFilter{States: []catalog.State{catalog.Built}}
		for {
			versions, err := r.store.ListVersions(ctx, image.ID, filter)
			if err != nil {
				return err
			}
			if len(versions) == 0 {
				break
			}
			for _, v := range versions {
				found := map[digest.Digest]int64{}
				if err := r.need(image.Ref, digest.Digest(v.Digest), found); err != nil {
					return fmt.Errorf("%s:%s: %w", image.Ref, v.Name, err)
				}
				visit(image, v, found)
			}
			filter.Page.Before = versions[len(versions)-1].ID
		}
	}
	return nil
}

// need adds an image to found, and all that refers to a part of it, such as
// signatures.
func (r *Registry) need(ref catalog.ImageRef, d digest.Digest, found map[digest.Digest]int64) error {
	if err := r.reach(d, found); err != nil {
		return err
	}
	subjects, err := os.ReadDir(r.referrersOf(ref))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for known := -1; known < len(found); { // until nothing new refers to anything
		known = len(found)
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
				if err := r.reach(referrer.Digest, found); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// sweep judges one blob's file, <algorithm>/<2 digits>/<hex>/data.
func (r *Registry) sweep(path string, needed map[digest.Digest]int, before time.Time, dryRun bool, result *Collection) error {
	dir := filepath.Dir(path)
	d := digest.NewDigestFromEncoded(digest.Algorithm(filepath.Base(filepath.Dir(filepath.Dir(dir)))), filepath.Base(dir))
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
		removed, err := r.remove(path, before)
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

// remove deletes a blob unless it was used meanwhile. Its directory stays: an
// upload could be about to move the same blob there.
func (r *Registry) remove(path string, before time.Time) (bool, error) {
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
	return true, os.Remove(path)
}

// CollectEvery collects on a schedule until ctx ends. It returns nil.
func (r *Registry) CollectEvery(ctx context.Context, every, grace time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		start := time.Now()
		done, err := r.Collect(ctx, CollectOptions{Grace: grace})
		if err != nil && ctx.Err() == nil {
			r.logger.Error("collect unused blobs", "error", err)
			continue
		}
		r.logger.Info("collected unused blobs", "freed", done.Freed.Blobs, "freed_bytes", done.Freed.Bytes,
			"kept", done.Kept.Blobs, "kept_bytes", done.Kept.Bytes, "took", time.Since(start).Round(time.Millisecond))
	}
}
