package registry

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/catalog"
)

var _ catalog.Attachments = (*Registry)(nil)

// Attach implements catalog.Attachments. Who deletes the version waits until all is stored, and then removes it.
func (r *Registry) Attach(ctx context.Context, image catalog.Image, manifest string, all ...catalog.Attachment) error {
	r.linking.RLock()
	defer r.linking.RUnlock()
	r.attaching.Lock()
	defer r.attaching.Unlock()
	if err := r.checkName(ctx, image); err != nil {
		return err
	}
	repository, err := r.repository(ctx, image.Ref)
	if err != nil {
		return err
	}
	d := digest.Digest(manifest)
	held, err := r.holdsManifest(ctx, image.Ref, d)
	if err == nil && !held {
		err = catalog.Errorf(catalog.NotFound, "image %s has no manifest %s", image.Ref, manifest)
	}
	if err != nil {
		return err
	}
	a := attacher{registry: r, image: image, repository: repository, subject: d}
	var tags []string
	for _, one := range all {
		if one.Tag == "" {
			if err := a.refer(ctx, one); err != nil {
				return err
			}
		} else if !slices.Contains(tags, one.Tag) {
			tags = append(tags, one.Tag)
		}
	}
	for _, tag := range tags {
		layers := slices.DeleteFunc(slices.Clone(all), func(one catalog.Attachment) bool { return one.Tag != tag })
		if err := a.tag(ctx, tag, layers); err != nil {
			return err
		}
	}
	return r.changed(ctx, image, d)
}

// ownAnnotation marks what the server has attached: referring manifests, and layers under cosign's tags. It goes with its
// version, whoever may push.
const ownAnnotation = "com.github.fandoghpaas.fandogh.by"

// own returns annotations with the mark.
func own(annotations map[string]string) map[string]string {
	marked := map[string]string{ownAnnotation: "server"}
	maps.Copy(marked, annotations)
	return marked
}

func isOwn(annotations map[string]string) bool { return annotations[ownAnnotation] != "" }

var errOwn = catalog.Errorf(catalog.Forbidden, "the server's own signatures and attestations stay as long as their version; delete the version, and they go with it")

// keepsOwn refuses that a tag loses what the server has attached by it: the new layers, none for a tag that is deleted, must
// have all of that. Nothing may be attached meanwhile.
func (r *Registry) keepsOwn(ctx context.Context, image catalog.Image, tag string, layers []ocispec.Descriptor) error {
	subject, ofOne := subjectOf(tag)
	if !ofOne {
		return nil
	}
	if held, err := r.holdsManifest(ctx, image.Ref, subject); err != nil || !held {
		return err
	}
	repository, err := r.repository(ctx, image.Ref)
	if err != nil {
		return err
	}
	there, err := repository.Tags(ctx).Get(ctx, tag)
	if err != nil {
		return ignoreMissing(err)
	}
	m, _, err := r.manifestOf(there.Digest)
	if err != nil {
		return err
	}
	for _, layer := range m.Layers {
		if isOwn(layer.Annotations) && !slices.ContainsFunc(layers, sameLayer(layer)) {
			return errOwn
		}
	}
	return nil
}

// sameLayer compares all that is said of a layer: signatures of one text by several keys differ in the annotations alone, and with
// another size or type no client could read it.
func sameLayer(a ocispec.Descriptor) func(ocispec.Descriptor) bool {
	return func(b ocispec.Descriptor) bool { return reflect.DeepEqual(a, b) }
}

// attacher stores what is said of one manifest.
type attacher struct {
	registry   *Registry
	image      catalog.Image
	repository distribution.Repository
	subject    digest.Digest
}

// refer stores a manifest of one layer whose subject is the manifest.
func (a attacher) refer(ctx context.Context, one catalog.Attachment) error {
	m, size, err := a.registry.manifestOf(a.subject)
	if err != nil {
		return err
	}
	mediaType := m.MediaType
	if mediaType == "" {
		mediaType = ocispec.MediaTypeImageManifest
	}
	layer, err := a.blob(ctx, one.MediaType, one.Content)
	if err != nil {
		return err
	}
	layer.Annotations = one.Annotations
	config, err := a.blob(ctx, ocispec.MediaTypeEmptyJSON, ocispec.DescriptorEmptyJSON.Data)
	if err != nil {
		return err
	}
	put, err := a.put(ctx, ocispec.Manifest{
		ArtifactType: one.ArtifactType, Config: config, Layers: []ocispec.Descriptor{layer}, Annotations: own(one.Annotations),
		Subject: &ocispec.Descriptor{MediaType: mediaType, Digest: a.subject, Size: size},
	})
	if err != nil {
		return err
	}
	return a.registry.addReferrer(put)
}

// tag adds layers to the manifest under a tag of cosign's, which may have others' already.
func (a attacher) tag(ctx context.Context, suffix string, layers []catalog.Attachment) error {
	name := strings.Replace(a.subject.String(), ":", "-", 1) + "." + suffix
	if moves, err := a.registry.moves(ctx, a.image, name); err != nil || !moves {
		return err // a version of that name, from before there was a rule
	}
	var m ocispec.Manifest
	tags := a.repository.Tags(ctx)
	there, err := tags.Get(ctx, name)
	if err == nil {
		err = readManifest(ctx, a.repository, there.Digest, &m)
	}
	if ignoreMissing(err) != nil {
		return err
	}
	known := len(m.Layers)
	for _, one := range layers {
		layer, err := a.blob(ctx, one.MediaType, one.Content)
		if err != nil {
			return err
		}
		layer.Annotations = own(one.Annotations)
		if !slices.ContainsFunc(m.Layers, sameLayer(layer)) {
			m.Layers = append(m.Layers, layer)
		}
	}
	if len(m.Layers) == known {
		return nil
	}
	if m.Config, err = a.configOf(ctx, m.Layers); err != nil {
		return err
	}
	put, err := a.put(ctx, m)
	if err != nil {
		return err
	}
	return tags.Tag(ctx, name, ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: put.digest, Size: int64(len(put.body))})
}

// configOf stores the configuration that cosign gives such manifests: one of an image for no platform.
func (a attacher) configOf(ctx context.Context, layers []ocispec.Descriptor) (ocispec.Descriptor, error) {
	config := ocispec.Image{RootFS: ocispec.RootFS{Type: "layers"}}
	for _, layer := range layers { // none is compressed
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, layer.Digest)
	}
	text, err := json.Marshal(config)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	return a.blob(ctx, ocispec.MediaTypeImageConfig, text)
}

func (a attacher) blob(ctx context.Context, mediaType string, content []byte) (ocispec.Descriptor, error) {
	// Before, for what it writes to; afterwards, as the blob may have been there, and be unneeded else.
	if err := a.registry.use(a.image.Ref, digest.FromBytes(content)); err != nil {
		return ocispec.Descriptor{}, err
	}
	d, err := a.repository.Blobs(ctx).Put(ctx, mediaType, content)
	if err == nil {
		err = a.registry.use(a.image.Ref, d.Digest)
	}
	return ocispec.Descriptor{MediaType: mediaType, Digest: d.Digest, Size: int64(len(content))}, err
}

// put stores a manifest of blobs that are stored.
func (a attacher) put(ctx context.Context, m ocispec.Manifest) (*manifestPut, error) {
	m.Versioned, m.MediaType = specs.Versioned{SchemaVersion: 2}, ocispec.MediaTypeImageManifest
	p := &manifestPut{registry: a.registry, image: a.image}
	body, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	p.setBody(body)
	if err := p.parse(ctx); err != nil {
		return nil, err
	}
	manifests, err := a.repository.Manifests(ctx)
	if err != nil {
		return nil, err
	}
	manifest, _, err := distribution.UnmarshalManifest(m.MediaType, p.body)
	if err != nil {
		return nil, err
	}
	_, err = manifests.Put(ctx, manifest)
	return p, err
}
