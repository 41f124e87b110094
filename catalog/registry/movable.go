package registry

import (
	"context"
	"errors"
	"path"
	"slices"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"

	"github.com/fandoghpaas/fandogh/catalog"
)

// moves reports whether a tag is no version: it may be put again and deleted, makes no event,
// and lives in the storage alone. Those are signatures, and what the operator keeps for
// caches. A name that is a version's stays one.
func (r *Registry) moves(ctx context.Context, image catalog.Image, tag string) (bool, error) {
	if !r.isMovable(tag) {
		return false, nil
	}
	is, err := r.isVersion(ctx, image, tag)
	return !is && err == nil, err
}

func (r *Registry) isVersion(ctx context.Context, image catalog.Image, tag string) (bool, error) {
	_, err := r.store.Version(ctx, image.ID, tag)
	if catalog.CodeOf(err) == catalog.NotFound {
		return false, nil
	}
	return err == nil, err
}

func (r *Registry) isMovable(tag string) bool {
	_, ofOne := subjectOf(tag)
	return ofOne || slices.ContainsFunc(r.cacheTags, func(pattern string) bool {
		matched, _ := path.Match(pattern, tag) // New has checked the pattern
		return matched
	})
}

// tagsOf returns an image's tags that are no versions, with what they name. There may be such
// that could not be put any more: the operator changed the patterns.
func (r *Registry) tagsOf(ctx context.Context, image catalog.Image) (map[string]digest.Digest, error) {
	return r.tagsWhere(ctx, image.Ref, func(tag string) (bool, error) {
		is, err := r.isVersion(ctx, image, tag)
		return !is, err
	})
}

// tagsWhere returns the stored tags of an image that are wanted, with what they name. Of the others it reads the names alone: an image
// may have many.
func (r *Registry) tagsWhere(ctx context.Context, ref catalog.ImageRef, wanted func(tag string) (bool, error)) (map[string]digest.Digest, error) {
	repository, err := r.repository(ctx, ref)
	if err != nil {
		return nil, err
	}
	tags := repository.Tags(ctx)
	names, err := tags.All(ctx)
	var none distribution.ErrRepositoryUnknown
	if errors.As(err, &none) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := map[string]digest.Digest{}
	for _, name := range names {
		if is, err := wanted(name); err != nil {
			return nil, err
		} else if !is {
			continue
		}
		d, err := tags.Get(ctx, name)
		if ignoreMissing(err) != nil {
			return nil, err
		}
		if err == nil {
			found[name] = d.Digest
		}
	}
	return found, nil
}

// subjectOf returns the manifest that a signature is of.
func subjectOf(tag string) (digest.Digest, bool) {
	manifest, ok := catalog.AttachmentSubject(tag)
	return digest.Digest(manifest), ok
}
