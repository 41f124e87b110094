package registry

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Manifests returns a manifest's digest and, of an index, those of the manifests that it lists. Errors: NotFound.
func (r *Registry) Manifests(manifest string) ([]string, error) {
	found := map[string]bool{}
	err := r.addManifests(digest.Digest(manifest), found)
	return slices.Sorted(maps.Keys(found)), err
}

func (r *Registry) addManifests(d digest.Digest, found map[string]bool) error {
	m, _, err := r.manifestOf(d)
	if err != nil {
		return err
	}
	found[d.String()] = true
	for _, child := range m.children() {
		if found[child.Digest.String()] {
			continue
		}
		if err := r.addManifests(child.Digest, found); err != nil && catalog.CodeOf(err) != catalog.NotFound {
			return err
		}
	}
	return nil
}

// MovingTags returns the manifests that tags of an image name which are no versions, with such a tag of each. Those of
// signatures name nothing by themselves.
func (r *Registry) MovingTags(ctx context.Context, image catalog.Image) (map[string]string, error) {
	tags, err := r.tagsOf(ctx, image)
	if err != nil {
		return nil, err
	}
	named := map[string]string{}
	for tag, d := range tags {
		if _, ofOne := subjectOf(tag); ofOne {
			continue
		}
		manifests, err := r.Manifests(d.String())
		if err != nil && catalog.CodeOf(err) != catalog.NotFound {
			return nil, err
		}
		for _, manifest := range manifests {
			named[manifest] = tag
		}
	}
	return named, nil
}

// pulls remembers when manifests were last pulled, for keepPulls at least and twice as long at most.
type pulls struct {
	mu            sync.Mutex
	begun         time.Time // of last
	last, earlier map[digest.Digest]time.Time
}

const keepPulls = 24 * time.Hour

// note remembers what an answer to a pull was.
func (p *pulls) note(answer *bufferedResponse, now time.Time) {
	d := digest.Digest(answer.header.Get("Docker-Content-Digest"))
	if answer.status != http.StatusOK || d.Validate() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil || now.Sub(p.begun) > keepPulls {
		p.begun, p.last, p.earlier = now, map[digest.Digest]time.Time{}, p.last
	}
	p.last[d] = now
}

// PulledSince reports whether a manifest was pulled after a time, which may be a day ago at most. It is not known of pulls
// before the start.
func (r *Registry) PulledSince(manifest string, at time.Time) bool {
	r.pulls.mu.Lock()
	defer r.pulls.mu.Unlock()
	d := digest.Digest(manifest)
	return r.pulls.last[d].After(at) || r.pulls.earlier[d].After(at)
}
