package catalog

import (
	"context"
	"io"
	"iter"
)

// Attachment is something that is said of a manifest and stored beside it: it lives as long as that.
type Attachment struct {
	// Tag is "sig", "att" or "sbom" for one more layer of what cosign finds under sha256-<hex of the manifest>.<Tag>.
	// Empty: a manifest of its own, which has the other as its subject.
	Tag          string
	ArtifactType string            // of that manifest
	MediaType    string            // of the layer with the content
	Annotations  map[string]string // of the layer, and of that manifest
	Content      []byte
}

// Attachments stores what is said of manifests. The registry implements it.
type Attachments interface {
	// Attach stores attachments of an image's manifest, "sha256:…". One that is there stays as it is.
	// Errors: NotFound (no such manifest).
	Attach(ctx context.Context, image Image, manifest string, all ...Attachment) error
}

// PlatformImage is what an image is for one platform.
type PlatformImage struct {
	Manifest string   // "sha256:…"
	Platform string   // "linux/amd64", as its configuration has it
	Layers   []string // "sha256:…", the lowest first
	Config   []byte   // its configuration, JSON
}

// ImageContents reads what images consist of. The registry implements it.
type ImageContents interface {
	// PlatformImages returns those of an index, in its order, or the one that a manifest is. Errors: NotFound, Invalid (it is no image).
	PlatformImages(ctx context.Context, ref ImageRef, manifest string) ([]PlatformImage, error)
	// OpenLayer opens a layer as it is stored. Errors: NotFound.
	OpenLayer(ctx context.Context, ref ImageRef, layer string) (io.ReadCloser, error)
	// Attached yields what refers to a manifest and has the annotation: the contents of single layers, whoever attached them, those first
	// that say they are the server's. Each is read when its turn comes, and an error is the last.
	Attached(ctx context.Context, ref ImageRef, manifest, annotation, value string) iter.Seq2[[]byte, error]
}
