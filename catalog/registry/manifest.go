package registry

import (
	"slices"

	"github.com/distribution/distribution/v3/manifest/manifestlist"
	"github.com/distribution/distribution/v3/manifest/schema2"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/catalog"
)

// manifestParts is what manifests, lists of them and artifacts refer to.
type manifestParts struct {
	Schema       int                  `json:"schemaVersion"`
	MediaType    string               `json:"mediaType"`
	ArtifactType string               `json:"artifactType"`
	Config       *ocispec.Descriptor  `json:"config"`
	Layers       []ocispec.Descriptor `json:"layers"`
	Manifests    []ocispec.Descriptor `json:"manifests"`
	Subject      *ocispec.Descriptor  `json:"subject"`
	Annotations  map[string]string    `json:"annotations"`
}

// isList reports whether the app takes it for a list of manifests. By its media type that is so whatever else
// it says, and only an index may leave out the type.
func (m manifestParts) isList() bool {
	switch m.MediaType {
	case manifestlist.MediaTypeManifestList, ocispec.MediaTypeImageIndex:
		return true
	case "":
		return m.Config == nil && len(m.Layers) == 0
	}
	return false
}

// blobs are the parts that are no manifests.
func (m manifestParts) blobs() []ocispec.Descriptor {
	if m.isList() {
		return nil
	}
	if m.Config == nil {
		return m.Layers
	}
	return append(slices.Clone(m.Layers), *m.Config)
}

// children are the manifests of an index. Other manifests have none, whatever they say: the app
// does not look whether the repository holds them.
func (m manifestParts) children() []ocispec.Descriptor {
	if !m.isList() {
		return nil
	}
	return m.Manifests
}

// layersWithURLs are the types of layers of which the app asks whether they may be had from elsewhere. By its default
// none may, as here.
var layersWithURLs = []string{
	ocispec.MediaTypeImageLayer, ocispec.MediaTypeImageLayerGzip,
	"application/vnd.oci.image.layer.nondistributable.v1.tar", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
}

// refuseElsewhere refuses layers that clients would fetch from elsewhere. The app takes them for a fault of its own.
func (m manifestParts) refuseElsewhere() error {
	for _, part := range m.blobs() {
		elsewhere := len(part.URLs) > 0 && slices.Contains(layersWithURLs, part.MediaType)
		if m.MediaType == schema2.MediaTypeManifest {
			elsewhere = part.MediaType == schema2.MediaTypeForeignLayer
		}
		if elsewhere {
			return catalog.FieldErrorf(aboutManifest, "layer %s is to be fetched from elsewhere, and this registry has whole images alone; "+
				"push the layer itself (Docker does when this registry is among its allow-nondistributable-artifacts)", part.Digest)
		}
	}
	return nil
}
