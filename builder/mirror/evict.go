package mirror

import (
	"cmp"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
)

// root is a manifest that is kept for itself, and not as part of an index.
type root struct {
	record *record
	digest digest.Digest
	used   time.Time
}

// roots lists them, those first that were not used for longest.
func (s *store) roots() []root {
	var all []root
	for _, r := range s.records {
		listed := map[digest.Digest]bool{}
		for _, h := range r.Manifests {
			for _, d := range h.Manifests {
				listed[d] = true
			}
		}
		for d := range r.Manifests {
			if b := s.blobs[d]; b != nil && (!listed[d] || r.names(d)) {
				all = append(all, root{r, d, b.used})
			}
		}
	}
	slices.SortFunc(all, func(a, b root) int {
		return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.record.key(), b.record.key()), cmp.Compare(a.digest, b.digest))
	})
	return all
}

// names reports whether a tag names a manifest.
func (r *record) names(d digest.Digest) bool {
	for _, tag := range r.Tags {
		if tag.Digest == d {
			return true
		}
	}
	return false
}

// shrink makes what is kept fit, by what was not used for longest.
func (s *store) shrink() {
	for s.total > s.max {
		roots := s.roots()
		if len(roots) == 0 {
			return
		}
		s.log.Info("removed a kept image to make room", "image", roots[0].record.key(), "digest", roots[0].digest, "last_used", roots[0].used)
		s.removeRoot(roots[0])
	}
}

// removeRoot removes a manifest, what only it lists, and their content.
func (s *store) removeRoot(r root) {
	s.removeManifest(r.record, r.digest)
	s.sweep()
}

// removeManifest removes a manifest from a record, with the tags that name it and the manifests that only it lists.
// Rows go first: content without a record is swept at the next start.
func (s *store) removeManifest(r *record, d digest.Digest) {
	h := r.Manifests[d]
	delete(r.Manifests, d)
	for name, tag := range r.Tags {
		if tag.Digest == d {
			delete(r.Tags, name)
		}
	}
	for _, child := range h.Manifests {
		if r.Manifests[child] != nil && !r.names(child) && !r.lists(child) {
			delete(r.Manifests, child)
		}
	}
	if err := s.save(r); err != nil {
		s.log.Warn("failed to write what is kept of a repository", "repository", r.key(), "error", err)
	}
}

// lists reports whether an index lists a manifest.
func (r *record) lists(d digest.Digest) bool {
	for _, h := range r.Manifests {
		if slices.Contains(h.Manifests, d) {
			return true
		}
	}
	return false
}

// sweep removes the content that no record leads to.
func (s *store) sweep() {
	needed := map[digest.Digest]bool{}
	for _, r := range s.records {
		for d, h := range r.Manifests {
			needed[d] = true
			for part := range h.Parts {
				needed[part] = true
			}
		}
	}
	for d := range s.blobs {
		if !needed[d] {
			s.drop(d)
		}
	}
}

// forget removes all of a repository.
func (s *store) forget(registry, repository string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.records[registry+"/"+repository]
	if r == nil {
		return
	}
	s.log.Info("removed what was kept of a repository that is not for anyone any more", "repository", r.key())
	clear(r.Manifests)
	if err := s.save(r); err != nil {
		s.log.Warn("failed to write what is kept of a repository", "repository", r.key(), "error", err)
	}
	s.sweep()
}

// forgetTag removes a tag; what it named stays as long as others lead there.
func (s *store) forgetTag(ref reference) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.records[ref.registry+"/"+ref.repository]
	if r == nil {
		return
	}
	delete(r.Tags, ref.tag)
	if err := s.save(r); err != nil {
		s.log.Warn("failed to write what is kept of a repository", "repository", r.key(), "error", err)
	}
}
