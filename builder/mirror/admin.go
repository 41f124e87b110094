package mirror

import (
	"context"
	"slices"

	distribution "github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/fandoghpaas/fandogh/catalog"
)

var _ catalog.Mirror = (*Mirror)(nil)

// ListMirrored implements catalog.Mirror.
func (m *Mirror) ListMirrored(context.Context) ([]catalog.MirroredImage, error) {
	if m.store == nil {
		return nil, nil
	}
	s := m.store
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []catalog.MirroredImage
	for _, r := range slices.Backward(s.roots()) {
		image := catalog.MirroredImage{Name: r.record.key(), Digest: r.digest.String(), CheckedAt: r.record.Checked, UsedAt: r.used}
		for name, tag := range r.record.Tags {
			if tag.Digest == r.digest {
				image.Tags = append(image.Tags, name)
				image.CheckedAt = tag.Checked
			}
		}
		slices.Sort(image.Tags)
		held := map[digest.Digest]bool{}
		r.record.reach(r.digest, held)
		for d := range held {
			if b := s.blobs[d]; b != nil {
				image.Bytes += b.size
			}
		}
		all = append(all, image)
	}
	return all, nil
}

// reach adds a manifest and all it refers to.
func (r *record) reach(d digest.Digest, to map[digest.Digest]bool) {
	h := r.Manifests[d]
	if h == nil || to[d] {
		return
	}
	to[d] = true
	for part := range h.Parts {
		to[part] = true
	}
	for _, child := range h.Manifests {
		r.reach(child, to)
	}
}

// PruneMirrored implements catalog.Mirror.
func (m *Mirror) PruneMirrored(_ context.Context, filter catalog.MirrorFilter) (catalog.Pruned, error) {
	var wanted distribution.Named
	if filter.Name != "" {
		var err error
		if wanted, err = distribution.ParseNormalizedNamed(filter.Name); err != nil {
			return catalog.Pruned{}, &catalog.Error{Code: catalog.Invalid, Field: "image", Message: "it must be an image such as alpine, docker.io/library/alpine:3.20 or one with a digest", Err: err}
		}
	}
	var done catalog.Pruned
	if m.store == nil {
		return done, nil
	}
	s := m.store
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.total
	for _, r := range s.roots() {
		if !r.record.isNamed(r.digest, wanted) || !filter.UnusedBefore.IsZero() && !r.used.Before(filter.UnusedBefore) || r.record.Manifests[r.digest] == nil {
			continue
		}
		s.removeRoot(r)
		done.Images++
	}
	done.Bytes = before - s.total
	return done, nil
}

// isNamed reports whether a name, perhaps with a tag or a digest, means a manifest; nil means each.
func (r *record) isNamed(d digest.Digest, name distribution.Named) bool {
	if name == nil {
		return true
	}
	if name.Name() != r.key() {
		return false
	}
	if digested, ok := name.(distribution.Digested); ok {
		return digested.Digest() == d
	}
	tagged, ok := name.(distribution.Tagged)
	return !ok || r.Tags[tagged.Tag()].Digest == d
}
