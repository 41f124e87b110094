package export

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/containerd/platforms"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/builder"
)

// publisher finishes an image whose layers are stored: it writes its
// configuration and manifest with what became of the layers, dates it, and puts
// it under its tag. BuildKit has just exported the image, or it is an earlier one of the same recipe.
//
// BuildKit would date the image by the clock. It is given the commit's time, here;
// layers have those of layerTimes.
type publisher struct {
	store   *Store // of the part that is being written
	ctx     context.Context
	created time.Time
	earlier *earlier         // nil: BuildKit has exported the image
	size    int64            // bytes, of everything written or referred to so far
	counted map[v1.Hash]bool // blobs in size: manifests may share them
}

// document is a manifest or an index as it goes to the registry.
type document struct {
	raw       []byte
	mediaType types.MediaType
}

// RawManifest implements remote.Taggable.
func (d document) RawManifest() ([]byte, error) { return d.raw, nil }

// MediaType says what the document is.
func (d document) MediaType() (types.MediaType, error) { return d.mediaType, nil }

func (d document) descriptor() v1.Descriptor {
	return v1.Descriptor{MediaType: d.mediaType, Size: int64(len(d.raw)), Digest: sumOf(d.raw)}
}

func sumOf(raw []byte) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: digest.FromBytes(raw).Encoded()}
}

// Part is what one BuildKit has made of an image: all of it, or an index of the images for some platforms.
type Part struct {
	Store *Store
	Root  string // digest of what BuildKit exported
}

// Publish returns the finished image, which is under the request's tag then. Several parts become one index, with
// the platforms in the order given, as the frontend names them.
func Publish(ctx context.Context, created time.Time, platforms []string, parts ...Part) (builder.SolveResult, error) {
	return newPublisher(ctx, created).publish(platforms, parts)
}

func newPublisher(ctx context.Context, created time.Time) *publisher {
	return &publisher{ctx: ctx, created: created.UTC(), counted: map[v1.Hash]bool{}}
}

func (p *publisher) publish(platforms []string, parts []Part) (builder.SolveResult, error) {
	var finished document
	var indexes []v1.IndexManifest
	for _, part := range parts {
		p.store = part.Store
		raw, err := p.read(part.Root)
		if err != nil {
			return builder.SolveResult{}, err
		}
		var index v1.IndexManifest // or a manifest, with which it shares the media type
		if err := json.Unmarshal(raw, &index); err != nil {
			return builder.SolveResult{}, err
		}
		if index.MediaType.IsIndex() {
			indexes = append(indexes, index)
			err = p.images(&index)
		} else {
			finished, err = p.image(raw, "")
		}
		if err != nil {
			return builder.SolveResult{}, err
		}
	}
	if len(indexes) > 0 {
		var err error
		if finished, err = p.index(indexes, platforms); err != nil {
			return builder.SolveResult{}, err
		}
	}
	if err := p.put(p.store.tag, finished); err != nil {
		return builder.SolveResult{}, fmt.Errorf("tag the image: %w", err)
	}
	return builder.SolveResult{Digest: finished.descriptor().Digest.String(), Size: p.size}, nil
}

// read returns a manifest or an index.
func (p *publisher) read(hash string) ([]byte, error) {
	if p.earlier != nil {
		return p.earlier.manifest(hash)
	}
	return p.exported(hash)
}

func (p *publisher) exported(hash string) ([]byte, error) {
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	raw, ok := p.store.documents[digest.Digest(hash)]
	if !ok {
		return nil, fmt.Errorf("BuildKit exported no document %s", hash)
	}
	return raw, nil
}

func (p *publisher) put(reference name.Reference, d document) error {
	return p.store.pusher.Put(p.ctx, reference, d)
}

// encode makes the document that v is and counts it.
func (p *publisher) encode(v any, mediaType types.MediaType) (document, error) {
	raw, err := json.Marshal(v)
	p.size += int64(len(raw))
	return document{raw, mediaType}, err
}

func (p *publisher) count(blob v1.Descriptor) {
	if !p.counted[blob.Digest] {
		p.counted[blob.Digest] = true
		p.size += blob.Size
	}
}

// image returns an image's manifest; its configuration is stored. platform is as the frontend names it, empty
// where there is only one.
func (p *publisher) image(raw []byte, platform string) (document, error) {
	var manifest v1.Manifest
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return document{}, err
	}
	config, err := p.config(&manifest, platform)
	if err != nil {
		return document{}, err
	}
	for _, layer := range manifest.Layers {
		p.count(layer)
	}
	if err := config.date(p.created, p.store.bases[platform].history); err != nil {
		return document{}, err
	}
	if err := config.label(p.store.labels, p.store.bases[platform].labels); err != nil {
		return document{}, err
	}
	text, err := config.encode()
	if err != nil {
		return document{}, err
	}
	if err := p.store.pusher.Upload(p.ctx, p.store.tag.Repository, static.NewLayer(text, manifest.Config.MediaType)); err != nil {
		return document{}, fmt.Errorf("store the image's configuration: %w", err)
	}
	manifest.Config.Digest, manifest.Config.Size = sumOf(text), int64(len(text))
	p.count(manifest.Config)
	manifest.Annotations = p.annotated(manifest.Annotations)
	return p.encode(manifest, manifest.MediaType)
}

// config returns an image's configuration, of which the date and labels are to be changed, and has its manifest name its layers.
func (p *publisher) config(manifest *v1.Manifest, platform string) (*imageConfig, error) {
	if p.earlier != nil {
		return p.earlier.config(manifest, platform)
	}
	text, err := p.exported(manifest.Config.Digest.String())
	if err != nil {
		return nil, err
	}
	config, err := parseConfig(text)
	if err != nil {
		return nil, err
	}
	return config, p.useStored(manifest, config, p.store.cuts[platform])
}

// useStored names the layers as the registry has them, and puts those that were cut out
// where they belong.
func (p *publisher) useStored(manifest *v1.Manifest, config *imageConfig, cuts []Cut) error {
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	if len(config.diffIDs) != len(manifest.Layers) {
		return fmt.Errorf("the image has %d layers and configures %d", len(manifest.Layers), len(config.diffIDs))
	}
	for i := range manifest.Layers {
		layer := &manifest.Layers[i]
		stored, ok := p.store.layers[digest.Digest(layer.Digest.String())]
		if !ok {
			return fmt.Errorf("BuildKit exported no layer %s", layer.Digest)
		}
		layer.Digest, layer.Size = stored.digest, stored.size
		if stored.diffID != (v1.Hash{}) {
			layer.MediaType = stored.mediaType
			config.diffIDs[i] = stored.diffID
		}
	}
	exported := len(manifest.Layers)
	for _, cut := range slices.Backward(cuts) { // those below keep their places
		at := exported - cut.Above
		if at < 0 {
			return fmt.Errorf("BuildKit exported %d layers, of which %d are to be above a COPY", exported, cut.Above)
		}
		for _, stored := range slices.Backward(cut.Layers) {
			manifest.Layers = slices.Insert(manifest.Layers, at, v1.Descriptor{MediaType: stored.mediaType, Digest: stored.digest, Size: stored.size})
			config.diffIDs = slices.Insert(config.diffIDs, at, stored.diffID)
		}
		if err := config.expand(cut.mark, len(cut.Layers)); err != nil {
			return err
		}
	}
	return nil
}

// images stores every image of an index, which names what became of them then.
func (p *publisher) images(index *v1.IndexManifest) error {
	for i, child := range index.Manifests {
		raw, err := p.read(child.Digest.String())
		if err != nil {
			return err
		}
		finished, err := p.image(raw, platformOf(child))
		if err != nil {
			return err
		}
		named := finished.descriptor()
		if err := p.put(p.store.tag.Digest(named.Digest.String()), finished); err != nil {
			return err
		}
		index.Manifests[i].Digest, index.Manifests[i].Size = named.Digest, named.Size
	}
	return nil
}

// index returns one index of all images of several.
func (p *publisher) index(parts []v1.IndexManifest, platforms []string) (document, error) {
	index := parts[0]
	for _, part := range parts[1:] {
		index.Manifests = append(index.Manifests, part.Manifests...)
	}
	slices.SortStableFunc(index.Manifests, func(a, b v1.Descriptor) int {
		return slices.Index(platforms, platformOf(a)) - slices.Index(platforms, platformOf(b))
	})
	index.Annotations = p.annotated(index.Annotations)
	return p.encode(index, index.MediaType)
}

// annotated returns a document's annotations with the image's. An earlier one has those of its own version.
func (p *publisher) annotated(own map[string]string) map[string]string {
	if p.earlier != nil {
		return p.store.annotations
	}
	if len(p.store.annotations) == 0 {
		return own
	}
	all := maps.Clone(p.store.annotations)
	maps.Copy(all, own)
	return all
}

// platformOf names the platform of an index's image as the frontend does.
func platformOf(image v1.Descriptor) string {
	if image.Platform == nil {
		return ""
	}
	return platforms.FormatAll(platforms.Normalize(ocispec.Platform{
		OS: image.Platform.OS, Architecture: image.Platform.Architecture, Variant: image.Platform.Variant, OSVersion: image.Platform.OSVersion,
	}))
}
