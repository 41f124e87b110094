package imagefile

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// The media types of Docker's second schema.
const (
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerConfig   = "application/vnd.docker.container.image.v1+json"
	dockerLayer    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
)

// containerdName is the annotation with an image's whole name. OCI's own has the tag, or what a tool takes for it.
const containerdName = "io.containerd.image.name"

// parts are what manifests and indexes refer to.
type parts struct {
	Schema    int                  `json:"schemaVersion"`
	MediaType string               `json:"mediaType"`
	Config    *ocispec.Descriptor  `json:"config"`
	Layers    []ocispec.Descriptor `json:"layers"`
	Manifests []json.RawMessage    `json:"manifests"`
}

// readLayout reads an OCI layout.
func (a *Archive) readLayout() error {
	var index ocispec.Index
	if err := a.decode("index.json", &index); err != nil {
		return err
	}
	if len(index.Manifests) == 0 {
		return errors.New("the OCI layout contains no image: its index.json is empty")
	}
	l := layout{archive: a, checked: map[digest.Digest]bool{}}
	for _, group := range byName(index.Manifests) {
		image, err := l.image(group)
		if err != nil {
			return err
		}
		a.Images = append(a.Images, image)
	}
	return nil
}

// byName puts together what has one name, or none: some tools list an image's platforms in the layout's index itself.
func byName(all []ocispec.Descriptor) [][]ocispec.Descriptor {
	var groups [][]ocispec.Descriptor
	for _, d := range all {
		i := slices.IndexFunc(groups, func(g []ocispec.Descriptor) bool {
			return d.Platform != nil && g[0].Platform != nil && nameIn(d) == nameIn(g[0])
		})
		if i < 0 {
			groups = append(groups, []ocispec.Descriptor{d})
		} else {
			groups[i] = append(groups[i], d)
		}
	}
	return groups
}

func nameIn(d ocispec.Descriptor) string {
	return cmp.Or(d.Annotations[containerdName], d.Annotations[ocispec.AnnotationRefName])
}

// layout reads images of an OCI layout.
type layout struct {
	archive *Archive
	checked map[digest.Digest]bool // what has the content of its digest
}

func (l *layout) image(group []ocispec.Descriptor) (image Image, err error) {
	if len(group) == 1 {
		err = l.add(&image, group[0])
	} else {
		index := parts{Schema: 2, MediaType: ocispec.MediaTypeImageIndex}
		for _, d := range group {
			d.Annotations = nil // the name is the image's
			raw, err := json.Marshal(d)
			if err != nil {
				return Image{}, err
			}
			index.Manifests = append(index.Manifests, raw)
		}
		var body []byte
		if body, err = json.Marshal(map[string]any{"schemaVersion": index.Schema, "mediaType": index.MediaType, "manifests": index.Manifests}); err == nil {
			err = l.addIndex(&image, index, body)
		}
	}
	image.name(nameIn(group[0]))
	if err != nil {
		return Image{}, fmt.Errorf("%s: %w", image, err)
	}
	return image, nil
}

// add adds to an image a manifest and all it refers to.
func (l *layout) add(image *Image, d ocispec.Descriptor) error {
	body, err := l.manifest(d)
	if err != nil {
		return err
	}
	var m parts
	if err := json.Unmarshal(body, &m); err != nil {
		return fmt.Errorf("the archive is damaged: manifest %s: %w", d.Digest, err)
	}
	switch m.MediaType = cmp.Or(m.MediaType, d.MediaType); {
	case m.MediaType == ocispec.MediaTypeImageIndex || m.MediaType == dockerList:
		return l.addIndex(image, m, body)
	case m.Schema != 2 || m.Config == nil:
		return fmt.Errorf("manifest %s is no image of schema 2: its media type is %q", d.Digest, m.MediaType)
	}
	blobs := append(slices.Clone(m.Layers), *m.Config)
	for _, part := range blobs {
		if err := l.check(part); err != nil {
			return err
		}
		image.plain = image.plain || part.MediaType == ocispec.MediaTypeImageLayer
	}
	for _, part := range blobs {
		image.addBlob(Blob{part.Digest, part.Size, func() (io.ReadCloser, error) { return l.archive.files.Open(blobName(part.Digest)) }})
	}
	image.addPlatform(cmp.Or(platformOf(d.Platform), l.configured(*m.Config)))
	image.Manifests = append(image.Manifests, Manifest{m.MediaType, digest.FromBytes(body), body})
	return nil
}

// addIndex adds to an image an index, and what the archive contains of its manifests: `docker save`
// leaves out platforms that were never pulled. Without those it is another index.
func (l *layout) addIndex(image *Image, m parts, body []byte) error {
	var kept []json.RawMessage
	var lacking error
	for _, raw := range m.Manifests {
		var child ocispec.Descriptor
		if err := json.Unmarshal(raw, &child); err != nil {
			return fmt.Errorf("the archive is damaged: an index: %w", err)
		}
		whole := Image{Manifests: slices.Clone(image.Manifests), Blobs: slices.Clone(image.Blobs), Platforms: image.Platforms, Missing: image.Missing, plain: image.plain}
		if err := l.add(&whole, child); err != nil {
			if !errors.As(err, new(*missingError)) {
				return err
			}
			lacking = err
			image.Missing = append(image.Missing, cmp.Or(platformOf(child.Platform), child.Digest.String()))
			continue
		}
		*image = whole
		kept = append(kept, raw)
	}
	switch {
	case len(kept) == 0 && lacking != nil:
		return lacking
	case len(kept) == 0:
		return errors.New("the index lists no images")
	case lacking != nil:
		var all map[string]json.RawMessage
		err := json.Unmarshal(body, &all)
		if err == nil {
			all["manifests"], err = json.Marshal(kept)
		}
		if err == nil {
			body, err = json.Marshal(all)
		}
		if err != nil {
			return err
		}
	}
	image.Manifests = append(image.Manifests, Manifest{m.MediaType, digest.FromBytes(body), body})
	return nil
}

func blobName(d digest.Digest) string { return path.Join("blobs", d.Algorithm().String(), d.Encoded()) }

// manifest reads one that has its digest's content.
func (l *layout) manifest(d ocispec.Descriptor) ([]byte, error) {
	if err := d.Digest.Validate(); err != nil {
		return nil, fmt.Errorf("the archive is damaged: %q: %w", d.Digest, err)
	}
	body, err := l.archive.text(blobName(d.Digest))
	if err == nil && d.Digest != d.Digest.Algorithm().FromBytes(body) {
		err = damaged(d.Digest)
	}
	return body, err
}

func damaged(d digest.Digest) error {
	return fmt.Errorf("the archive is damaged: %s does not have the content of its digest", d)
}

// check reads a blob through, once.
func (l *layout) check(d ocispec.Descriptor) (err error) {
	if err := d.Digest.Validate(); err != nil {
		return fmt.Errorf("the archive is damaged: %q: %w", d.Digest, err)
	}
	if l.checked[d.Digest] {
		return nil
	}
	file, err := l.archive.files.Open(blobName(d.Digest))
	if err != nil {
		return missing(blobName(d.Digest), err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	verifier := d.Digest.Verifier()
	size, err := io.Copy(verifier, file)
	if err != nil {
		return fmt.Errorf("read %s: %w", d.Digest, err)
	}
	if size != d.Size || !verifier.Verified() {
		return damaged(d.Digest)
	}
	l.checked[d.Digest] = true
	return nil
}

// configured returns the platform that a configuration tells of, if it is one of an image.
func (l *layout) configured(d ocispec.Descriptor) string {
	text, err := l.archive.text(blobName(d.Digest))
	if err != nil {
		return ""
	}
	return platformIn(text)
}

func platformIn(config []byte) string {
	var p ocispec.Platform
	if json.Unmarshal(config, &p) != nil {
		return ""
	}
	return platformOf(&p)
}

// platformOf is "linux/arm/v7"; empty where there is none, as for attestations.
func platformOf(p *ocispec.Platform) string {
	if p == nil || p.OS == "" || p.OS == "unknown" {
		return ""
	}
	return path.Join(p.OS, p.Architecture, p.Variant)
}

func (i *Image) addPlatform(platform string) {
	if platform != "" && !slices.Contains(i.Platforms, platform) {
		i.Platforms = append(i.Platforms, platform)
	}
}

func (i *Image) addBlob(b Blob) {
	if !slices.ContainsFunc(i.Blobs, func(known Blob) bool { return known.Digest == b.Digest }) {
		i.Blobs = append(i.Blobs, b)
	}
}
