package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"slices"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/manifest/schema2"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/bounded"
)

var _ catalog.ImageContents = (*Registry)(nil)

// maxAttached bounds what is read of one attachment, in bytes: a list of packages of 32 MiB in an envelope. maxAllAttached bounds what is read
// of all: who may push may attach as much as there is room for.
const (
	maxAttached    = 64 << 20
	maxAllAttached = 4 * maxAttached
)

// maxPlatforms bounds what is held of an image's platforms, in bytes: configurations, and digestBytes for each layer.
const (
	maxPlatforms = 32 << 20
	digestBytes  = 100
)

// PlatformImages implements catalog.ImageContents.
func (r *Registry) PlatformImages(ctx context.Context, ref catalog.ImageRef, manifest string) ([]catalog.PlatformImage, error) {
	repository, err := r.repository(ctx, ref)
	if err != nil {
		return nil, err
	}
	digests := []digest.Digest{digest.Digest(manifest)}
	either, err := readEither(ctx, repository, digests[0])
	if err == nil && either.isIndex() {
		digests, _, err = either.images()
	}
	if err != nil {
		return nil, unreadable(err, ref, manifest)
	}
	var all []catalog.PlatformImage
	held := 0
	seen := map[digest.Digest]bool{}
	for _, d := range digests {
		if seen[d] {
			continue // an index may name one often
		}
		seen[d] = true
		one, err := platformImage(ctx, repository, d)
		if catalog.CodeOf(err) == catalog.Invalid {
			return nil, err
		}
		if err != nil {
			return nil, unreadable(err, ref, d.String())
		}
		if held += len(one.Config) + digestBytes*len(one.Layers); held > maxPlatforms {
			return nil, catalog.Errorf(catalog.Invalid, "image %s with digest %s is for too many platforms", ref, manifest)
		}
		all = append(all, one)
	}
	return all, nil
}

// imageConfigTypes are the types of configurations of images whose layers are files. Charts and other artifacts have others.
var imageConfigTypes = []string{ocispec.MediaTypeImageConfig, schema2.MediaTypeImageConfig}

func platformImage(ctx context.Context, repository distribution.Repository, d digest.Digest) (catalog.PlatformImage, error) {
	var m ocispec.Manifest
	one := catalog.PlatformImage{Manifest: d.String()}
	if err := readManifest(ctx, repository, d, &m); err != nil {
		return one, err
	}
	if !slices.Contains(imageConfigTypes, m.Config.MediaType) {
		return one, catalog.Errorf(catalog.Invalid, "%s is no image of files, but of type %q", d, cmp.Or(m.ArtifactType, m.Config.MediaType))
	}
	var err error
	var config ocispec.Platform
	if one.Config, err = configBlob(ctx, repository, m.Config.Digest); err == nil {
		err = json.Unmarshal(one.Config, &config)
	}
	if err != nil {
		return one, err
	}
	one.Platform = platformName(config.OS, config.Architecture, config.Variant)
	for _, layer := range m.Layers {
		one.Layers = append(one.Layers, layer.Digest.String())
	}
	return one, nil
}

// OpenLayer implements catalog.ImageContents.
func (r *Registry) OpenLayer(ctx context.Context, ref catalog.ImageRef, layer string) (io.ReadCloser, error) {
	file, _, err := r.openBlob(ctx, ref, digest.Digest(layer))
	if errors.Is(err, distribution.ErrBlobUnknown) || errors.Is(err, fs.ErrNotExist) {
		return nil, catalog.Wrap(catalog.NotFound, err, "the registry does not have the layer %s of image %s", layer, ref)
	}
	if err != nil {
		return nil, err
	}
	return file, nil
}

// Attached implements catalog.ImageContents.
func (r *Registry) Attached(ctx context.Context, ref catalog.ImageRef, manifest, annotation, value string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		referring, err := r.referrers(ref, digest.Digest(manifest))
		if err != nil {
			yield(nil, err)
			return
		}
		referring = slices.DeleteFunc(referring, func(d ocispec.Descriptor) bool { return d.Annotations[annotation] != value })
		slices.SortStableFunc(referring, func(a, b ocispec.Descriptor) int { return ownFirst(a) - ownFirst(b) })
		seen := map[digest.Digest]bool{} // it costs little to attach one content often
		for left := maxAllAttached; len(referring) > 0 && left > 0; referring = referring[1:] {
			content, err := r.attached(ctx, ref, referring[0].Digest, seen)
			if content == nil && err == nil {
				continue
			}
			if !yield(content, err) || err != nil {
				return
			}
			left -= len(content)
		}
	}
}

func ownFirst(d ocispec.Descriptor) int {
	if isOwn(d.Annotations) {
		return 0
	}
	return 1
}

// attached reads the only layer of a manifest that was not seen before; nil: there is no such.
func (r *Registry) attached(ctx context.Context, ref catalog.ImageRef, manifest digest.Digest, seen map[digest.Digest]bool) ([]byte, error) {
	repository, err := r.repository(ctx, ref)
	if err != nil {
		return nil, err
	}
	var m ocispec.Manifest
	if err := readManifest(ctx, repository, manifest, &m); err != nil || len(m.Layers) != 1 || seen[m.Layers[0].Digest] {
		return nil, nil //nolint:nilerr // somebody else's
	}
	seen[m.Layers[0].Digest] = true
	content, err := smallBlob(ctx, repository, m.Layers[0].Digest, maxAttached)
	if errors.Is(err, distribution.ErrBlobUnknown) || errors.As(err, new(*bounded.TooLongError)) {
		return nil, nil
	}
	return content, err
}
