package registry

import (
	"context"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/diskspace"
)

// Contents returns what a built version needs here, bytes on disk by digest: its image, and what refers to that, such as
// signatures. With each go its directory, and the links and tags by which the image has it. What is missing is left out.
func (r *Registry) Contents(ctx context.Context, image catalog.Image, v catalog.Version) (map[string]int64, error) {
	found := map[digest.Digest]int64{}
	if err := r.reach(image.Ref, digest.Digest(v.Digest), found); err != nil {
		return nil, err
	}
	signed, err := r.tagsWhere(ctx, image.Ref, func(tag string) (bool, error) {
		of, ofOne := subjectOf(tag)
		_, ours := found[of]
		return ofOne && ours, nil
	})
	if err == nil {
		err = r.addReferring(image.Ref, signed, found)
	}
	if err != nil {
		return nil, err
	}
	contents := r.onDisk(image.Ref, found)
	for tag := range signed {
		of, _ := subjectOf(tag)
		contents[of.String()] += diskspace.Used(filepath.Join(r.tagsDir(image.Ref), tag))
	}
	if len(found) > 0 {
		contents[v.Digest] += diskspace.Used(filepath.Join(r.tagsDir(image.Ref), v.Name))
	}
	return contents, nil
}

// Tagged is Contents for what an image keeps under tags of Config.CacheTags, which are no versions.
func (r *Registry) Tagged(ctx context.Context, image catalog.Image) (map[string]int64, error) {
	tags, err := r.tagsWhere(ctx, image.Ref, func(tag string) (bool, error) {
		if _, ofOne := subjectOf(tag); ofOne || !r.isMovable(tag) {
			return false, nil
		}
		is, err := r.isVersion(ctx, image, tag)
		return !is, err
	})
	if err != nil || len(tags) == 0 {
		return nil, err
	}
	found := map[digest.Digest]int64{}
	for _, d := range tags {
		if err := r.reach(image.Ref, d, found); err != nil {
			return nil, err
		}
	}
	contents := r.onDisk(image.Ref, found)
	for tag, d := range tags {
		contents[d.String()] += diskspace.Used(filepath.Join(r.tagsDir(image.Ref), tag))
	}
	return contents, nil
}

// tagsDir is where an image's tags are.
func (r *Registry) tagsDir(ref catalog.ImageRef) string {
	return filepath.Join(r.repositoryDir(ref), "_manifests", "tags")
}

// onDisk returns what blobs take, each with its directory and the links by which an image has it.
func (r *Registry) onDisk(ref catalog.ImageRef, found map[digest.Digest]int64) map[string]int64 {
	repository, contents := r.repositoryDir(ref), map[string]int64{}
	for d := range found {
		contents[d.String()] = diskspace.Used(filepath.Dir(r.blobPath(d))) +
			diskspace.Used(filepath.Join(repository, layersDir, d.Algorithm().String(), d.Encoded())) +
			diskspace.Used(filepath.Join(repository, "_manifests", "revisions", d.Algorithm().String(), d.Encoded())) +
			diskspace.Used(filepath.Join(r.referrersOf(ref), d.Encoded()))
	}
	return contents
}

// changed has what the versions of a manifest need found out again: something was said of it.
func (r *Registry) changed(ctx context.Context, image catalog.Image, d digest.Digest) error {
	return r.store.ForgetContents(ctx, image.ID, d.String())
}
