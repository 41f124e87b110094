package imagefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/klauspost/pgzip"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// savedImage is an entry of a docker archive's manifest.json.
type savedImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// savedManifest and savedPart are a manifest of Docker's second schema as Docker and other tools write it: in this
// order, in which the same archive has the same digest wherever it is stored.
type savedManifest struct {
	Schema    int         `json:"schemaVersion"`
	MediaType string      `json:"mediaType"`
	Config    savedPart   `json:"config"`
	Layers    []savedPart `json:"layers"`
}

type savedPart struct {
	MediaType string        `json:"mediaType"`
	Size      int64         `json:"size"`
	Digest    digest.Digest `json:"digest"`
}

// readSaved reads a docker archive. Its layers are as they were unpacked, so their digests are those of
// what is made of them here; a layer that is compressed by gzip stays as it is.
func (a *Archive) readSaved() error {
	if a.dir != "" {
		// Nothing tells the digest of a configuration, so a link to a file elsewhere would send that.
		var err error
		if a.root, err = os.OpenRoot(a.dir); err != nil {
			return err
		}
		a.files = regularFiles{a.root.FS()}
	}
	var saved []savedImage
	if err := a.decode("manifest.json", &saved); err != nil {
		return err
	}
	if len(saved) == 0 {
		return errors.New("the docker archive contains no image: its manifest.json is empty")
	}
	a.Images = nil
	layers := map[digest.Digest]Blob{}
	for _, s := range saved {
		image, err := a.savedImage(s, layers)
		if err != nil {
			return err
		}
		for _, name := range s.RepoTags {
			named := image
			named.name(name)
			a.Images = append(a.Images, named)
		}
		if len(s.RepoTags) == 0 {
			a.Images = append(a.Images, image)
		}
	}
	return nil
}

// savedImage puts an image together; layers are those that are compressed, by the digest of what they unpack to.
func (a *Archive) savedImage(s savedImage, layers map[digest.Digest]Blob) (image Image, err error) {
	text, err := a.text(path.Clean(s.Config))
	if err != nil {
		return image, err
	}
	var config ocispec.Image
	if err := json.Unmarshal(text, &config); err != nil {
		return image, fmt.Errorf("the archive is damaged: %s: %w", s.Config, err)
	}
	if len(config.RootFS.DiffIDs) != len(s.Layers) {
		return image, fmt.Errorf("the archive is damaged: %s tells of %d layers, and manifest.json of %d", s.Config, len(config.RootFS.DiffIDs), len(s.Layers))
	}
	m := savedManifest{2, dockerManifest, savedPart{dockerConfig, int64(len(text)), digest.FromBytes(text)}, []savedPart{}}
	for i, name := range s.Layers {
		unpacked := config.RootFS.DiffIDs[i]
		if _, known := layers[unpacked]; !known {
			if layers[unpacked], err = a.savedLayer(path.Clean(name), unpacked); err != nil {
				return image, err
			}
		}
		blob := layers[unpacked]
		m.Layers = append(m.Layers, savedPart{dockerLayer, blob.Size, blob.Digest})
		image.addBlob(blob)
	}
	image.addBlob(Blob{m.Config.Digest, m.Config.Size, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }})
	image.addPlatform(platformIn(text))
	body, err := json.Marshal(m)
	image.Manifests = []Manifest{{dockerManifest, digest.FromBytes(body), body}}
	return image, err
}

// savedLayer makes a blob of a layer's file, which must unpack to what the configuration says.
func (a *Archive) savedLayer(name string, unpacked digest.Digest) (blob Blob, err error) {
	if err := unpacked.Validate(); err != nil {
		return blob, fmt.Errorf("the archive is damaged: %q: %w", unpacked, err)
	}
	file, err := a.files.Open(name)
	if err != nil {
		return blob, missing(name, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	packed := digest.SHA256.Digester()
	counted := &counter{}
	from := io.TeeReader(file, io.MultiWriter(packed.Hash(), counted))
	begin := make([]byte, 6)
	n, err := io.ReadFull(from, begin)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return blob, faultOf(name, err)
	}
	whole := io.MultiReader(bytes.NewReader(begin[:n]), from)
	content, err := Decompress(whole)
	if err != nil {
		return blob, faultOf(name, err)
	}
	verifier := unpacked.Verifier()
	if compressionOf(begin[:n]) == "gzip" {
		_, err = io.Copy(verifier, content)
		if err == nil {
			_, err = io.Copy(io.Discard, whole) // what decompressing leaves
		}
		blob = Blob{packed.Digest(), counted.bytes, func() (io.ReadCloser, error) { return a.files.Open(name) }}
	} else {
		blob, err = a.compress(io.TeeReader(content, verifier))
	}
	if err != nil {
		return blob, faultOf(name, err)
	}
	if !verifier.Verified() {
		return blob, fmt.Errorf("the archive is damaged: layer %s does not have the content that the image's configuration tells of", name)
	}
	return blob, nil
}

// compress writes a layer aside. The same content is the same blob each time.
func (a *Archive) compress(content io.Reader) (blob Blob, err error) {
	file, err := a.create()
	if err != nil {
		return blob, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	sum, size := digest.SHA256.Digester(), &counter{}
	to := pgzip.NewWriter(io.MultiWriter(file, sum.Hash(), size))
	if _, err := io.Copy(to, content); err != nil {
		return blob, errors.Join(err, to.Close())
	}
	err = to.Close()
	name := file.Name()
	return Blob{sum.Digest(), size.bytes, func() (io.ReadCloser, error) { return os.Open(name) }}, err
}

// counter counts what is written to it.
type counter struct{ bytes int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.bytes += int64(len(b))
	return len(b), nil
}

var _ fs.FS = tarFiles(nil)
