package registry

import (
	"context"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/fandoghpaas/fandogh/catalog"
)

// DeleteVersion removes what a version that the catalog knows no more left: its tag, and
// from what the repository serves by digest at once all that it alone was made of, and that
// referred to it, by a subject or by a tag. Their bytes go with a garbage collection. Nothing left is no error.
func (r *Registry) DeleteVersion(ctx context.Context, ref catalog.ImageRef, v catalog.Version) error {
	return r.DeleteVersions(ctx, ref, []catalog.Version{v})
}

// DeleteVersions is DeleteVersion of several of an image. It reads the manifests of all other versions of the image, once.
func (r *Registry) DeleteVersions(ctx context.Context, ref catalog.ImageRef, versions []catalog.Version) error {
	repository, err := r.repository(ctx, ref)
	if err != nil {
		return err
	}
	built := slices.DeleteFunc(slices.Clone(versions), func(v catalog.Version) bool { return v.Digest == "" })
	for _, v := range versions {
		if err := ignoreMissing(repository.Tags(ctx).Untag(ctx, v.Name)); err != nil {
			return err
		}
	}
	if len(built) == 0 {
		return nil
	}
	image, err := r.store.Image(ctx, ref)
	if err != nil {
		if catalog.CodeOf(err) == catalog.NotFound {
			return nil // it goes whole
		}
		return err
	}
	r.linking.Lock()
	defer r.linking.Unlock()
	tags, err := r.tagsOf(ctx, image)
	if err != nil {
		return err
	}
	withdrawn := map[digest.Digest]int64{}
	for _, v := range built {
		if err := r.reach(ref, digest.Digest(v.Digest), withdrawn); err != nil {
			return err
		}
	}
	if err := r.addReferring(ref, tags, withdrawn); err != nil {
		return err
	}
	kept, err := r.named(ctx, image, tags, withdrawn)
	if err != nil {
		return err
	}
	maps.DeleteFunc(withdrawn, func(d digest.Digest, _ int64) bool { _, ok := kept[d]; return ok })
	for tag := range tags {
		subject, ofOne := subjectOf(tag)
		if _, gone := withdrawn[subject]; !gone || !ofOne {
			continue
		}
		if err := ignoreMissing(repository.Tags(ctx).Untag(ctx, tag)); err != nil {
			return err
		}
	}
	return r.unlink(ref, slices.Collect(maps.Keys(withdrawn))...)
}

// named returns what an image serves by some name: what versions are made of, what its other
// tags name, and what refers to any of it. Signatures of what is withdrawn name nothing by themselves.
func (r *Registry) named(ctx context.Context, image catalog.Image, tags map[string]digest.Digest, withdrawn map[digest.Digest]int64) (map[digest.Digest]int64, error) {
	found, err := r.versioned(ctx, image)
	if err != nil {
		return nil, err
	}
	for tag, d := range tags {
		subject, ofOne := subjectOf(tag)
		if _, gone := withdrawn[subject]; gone && ofOne {
			continue
		}
		if err := r.reach(image.Ref, d, found); err != nil {
			return nil, err
		}
	}
	return found, r.addReferring(image.Ref, tags, found)
}

// versioned returns what an image's built versions are made of, and those that a build has pushed.
func (r *Registry) versioned(ctx context.Context, image catalog.Image) (map[digest.Digest]int64, error) {
	found := map[digest.Digest]int64{}
	return found, catalog.EachVersion(ctx, r.store, image.ID, func(v catalog.Version) error {
		d, err := r.digestOf(ctx, image.Ref, v)
		if err != nil || d == "" {
			return err
		}
		return r.reach(image.Ref, d, found)
	}, catalog.Pending, catalog.Building, catalog.Built)
}

// digestOf returns a version's manifest, also of one that was pushed and is not recorded. It is empty
// for none.
func (r *Registry) digestOf(ctx context.Context, ref catalog.ImageRef, v catalog.Version) (digest.Digest, error) {
	if v.State == catalog.Built {
		return digest.Digest(v.Digest), nil
	}
	repository, err := r.repository(ctx, ref)
	if err != nil {
		return "", err
	}
	d, err := repository.Tags(ctx).Get(ctx, v.Name)
	return d.Digest, ignoreMissing(err)
}

// unlink makes a repository serve manifests no more, nor name them as referring to anything.
// Other digests it does not mind.
func (r *Registry) unlink(ref catalog.ImageRef, digests ...digest.Digest) error {
	revisions := filepath.Join(r.repositoryDir(ref), "_manifests", "revisions")
	for _, d := range digests {
		m, _, err := r.manifestOf(d)
		if err == nil && m.Subject != nil && m.Subject.Digest.Validate() == nil {
			err = ignoreNotExist(os.Remove(filepath.Join(r.referrersOf(ref), m.Subject.Digest.Encoded(), d.Encoded())))
			if err != nil {
				return err
			}
		}
		if err := os.RemoveAll(filepath.Join(revisions, d.Algorithm().String(), d.Encoded())); err != nil {
			return err
		}
	}
	return nil
}

// deleteManifest removes a tag that moves, or a manifest that no version is made of and the tags that name it.
func (c *call) deleteManifest() error {
	d, err := digest.Parse(c.vars["reference"])
	if err != nil {
		return c.untag()
	}
	if err := c.registry.withdraw(c.req.Context(), c.image, d); err != nil {
		return err
	}
	c.w.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
	c.w.WriteHeader(http.StatusAccepted)
	return nil
}

// untag removes a tag that moves.
func (c *call) untag() error {
	c.registry.linking.Lock()
	defer c.registry.linking.Unlock()
	if err := c.registry.keepsOwn(c.req.Context(), c.image, c.vars["reference"], nil); err != nil {
		return err
	}
	return c.answer()
}

func (r *Registry) withdraw(ctx context.Context, image catalog.Image, d digest.Digest) error {
	r.linking.Lock()
	defer r.linking.Unlock()
	versioned, err := r.versioned(ctx, image)
	if err != nil {
		return err
	}
	if _, ok := versioned[d]; ok {
		return errDeletesNothing
	}
	m, _, err := r.manifestOf(d)
	if err == nil && m.Subject != nil && isOwn(m.Annotations) {
		var held bool
		if held, err = r.holdsManifest(ctx, image.Ref, m.Subject.Digest); held {
			return errOwn
		}
	}
	if err != nil {
		return err
	}
	tags, err := r.tagsOf(ctx, image)
	if err != nil {
		return err
	}
	maps.DeleteFunc(tags, func(_ string, named digest.Digest) bool { return named != d })
	for tag := range tags {
		if err := r.keepsOwn(ctx, image, tag, nil); err != nil {
			return err
		}
	}
	repository, err := r.repository(ctx, image.Ref)
	if err != nil {
		return err
	}
	for tag := range tags {
		if err := ignoreMissing(repository.Tags(ctx).Untag(ctx, tag)); err != nil {
			return err
		}
	}
	return r.unlink(image.Ref, d)
}
