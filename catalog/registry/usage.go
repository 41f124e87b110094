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
	repository, contents := r.repositoryDir(image.Ref), map[string]int64{}
	for d := range found {
		contents[d.String()] = diskspace.Used(filepath.Dir(r.blobPath(d))) +
			diskspace.Used(filepath.Join(repository, "_layers", d.Algorithm().String(), d.Encoded())) +
			diskspace.Used(filepath.Join(repository, "_manifests", "revisions", d.Algorithm().String(), d.Encoded())) +
			diskspace.Used(filepath.Join(r.referrersOf(image.Ref), d.Encoded()))
	}
	tags := filepath.Join(repository, "_manifests", "tags")
	for tag := range signed {
		of, _ := subjectOf(tag)
		contents[of.String()] += diskspace.Used(filepath.Join(tags, tag))
	}
	if len(found) > 0 {
		contents[v.Digest] += diskspace.Used(filepath.Join(tags, v.Name))
	}
	return contents, nil
}

// changed has what the versions of a manifest need found out again: something was said of it.
func (r *Registry) changed(ctx context.Context, image catalog.Image, d digest.Digest) error {
	return r.store.ForgetContents(ctx, image.ID, d.String())
}
