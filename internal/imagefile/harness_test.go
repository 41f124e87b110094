package imagefile

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	ggcr "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// made is an image of two layers for a platform.
func made(t *testing.T, architecture string) v1.Image {
	t.Helper()
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.ConfigFile(image, &v1.ConfigFile{OS: "linux", Architecture: architecture})
	for range 2 {
		if err != nil {
			break
		}
		var layer v1.Layer
		if layer, err = random.Layer(4<<10, types.OCILayer); err == nil {
			image, err = mutate.Append(image, mutate.Addendum{Layer: layer, MediaType: types.OCILayer})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func digestOf(t *testing.T, of interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	hash, err := of.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return hash.String()
}

// several is an index of images for platforms.
func several(t *testing.T, images map[string]v1.Image) v1.ImageIndex {
	t.Helper()
	var index v1.ImageIndex = empty.Index
	for _, architecture := range []string{"amd64", "arm64"} {
		if image := images[architecture]; image != nil {
			index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: architecture}}})
		}
	}
	return index
}

// layoutOf writes an OCI layout; an annotation is an image's name.
func layoutOf(t *testing.T, named map[string]mutate.Appendable) string {
	t.Helper()
	dir := t.TempDir()
	path, err := ggcr.Write(dir, empty.Index)
	for annotations, what := range named {
		if err != nil {
			break
		}
		given := map[string]string{}
		for pair := range strings.FieldsSeq(annotations) {
			key, value, _ := strings.Cut(pair, "=")
			given[key] = value
		}
		if index, ok := what.(v1.ImageIndex); ok {
			err = path.AppendIndex(index, ggcr.WithAnnotations(given))
		} else if image, ok := what.(v1.Image); ok {
			err = path.AppendImage(image, ggcr.WithAnnotations(given))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// packed writes a directory as a tar, in the order of names, by a filter.
func packed(t *testing.T, dir string, filter func(io.Writer) io.WriteCloser) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "archive.tar"))
	if err != nil {
		t.Fatal(err)
	}
	var to io.WriteCloser = file
	if filter != nil {
		to = filter(file)
	}
	w := tar.NewWriter(to)
	err = w.AddFS(os.DirFS(dir))
	for _, c := range []io.Closer{w, to, file} {
		if closeErr := c.Close(); err == nil && c != io.Closer(file) {
			err = closeErr
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

func gzipped(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }

// saved writes a docker archive as ggcr does, whose layers are compressed.
func saved(t *testing.T, images map[string]v1.Image) string {
	t.Helper()
	tags := map[name.Tag]v1.Image{}
	for text, image := range images {
		tag, err := name.NewTag(text)
		if err != nil {
			t.Fatal(err)
		}
		tags[tag] = image
	}
	file := filepath.Join(t.TempDir(), "saved.tar")
	if err := tarball.MultiWriteToFile(file, tags); err != nil {
		t.Fatal(err)
	}
	return file
}

// rewritten is a copy of a tar, whose entries change makes others of; a header without a name leaves one out.
func rewritten(t *testing.T, archive string, change func(*tar.Header, []byte) []byte) string {
	t.Helper()
	text, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for r := tar.NewReader(bytes.NewReader(text)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		content = change(header, content)
		if header.Name == "" {
			continue
		}
		header.Size = int64(len(content))
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rewritten.tar")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// asDocker makes of an archive of ggcr what `docker save` wrote until version 25: layers as they are unpacked in
// directories, and a link for one that comes again.
func asDocker(t *testing.T, archive string) string {
	t.Helper()
	return rewritten(t, archive, func(header *tar.Header, content []byte) []byte {
		if header.Name == "manifest.json" {
			return bytes.ReplaceAll(content, []byte(".tar.gz"), []byte("/layer.tar"))
		}
		if layer, ok := strings.CutSuffix(header.Name, ".tar.gz"); ok {
			header.Name = layer + "/layer.tar"
			r, err := gzip.NewReader(bytes.NewReader(content))
			if err == nil {
				content, err = io.ReadAll(r)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		return content
	})
}

func open(t *testing.T, source string) *Archive {
	t.Helper()
	a, err := Open(source, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, image := range a.Images {
		for _, blob := range image.Blobs {
			content, err := blob.Open()
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(content)
			if got := blob.Digest.Algorithm().FromBytes(text); err != nil || got != blob.Digest || int64(len(text)) != blob.Size {
				t.Errorf("%s: blob %s of %d bytes is %s of %d, %v", image, blob.Digest, blob.Size, got, len(text), err)
			}
			if err := content.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	return a
}

func names(a *Archive) string {
	var all []string
	for _, image := range a.Images {
		all = append(all, image.String())
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// asPlain is an image with layers that are not compressed.
func asPlain(t *testing.T, image v1.Image) v1.Image {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	plain := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	config, err := image.ConfigFile()
	if err == nil {
		config = config.DeepCopy()
		config.RootFS.DiffIDs, config.History = nil, nil
		plain, err = mutate.ConfigFile(plain, config)
	}
	for _, layer := range layers {
		if err != nil {
			break
		}
		var content io.ReadCloser
		if content, err = layer.Uncompressed(); err != nil {
			break
		}
		var text []byte
		if text, err = io.ReadAll(content); err == nil {
			plain, err = mutate.Append(plain, mutate.Addendum{Layer: static.NewLayer(text, types.OCIUncompressedLayer), MediaType: types.OCIUncompressedLayer})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func write(t *testing.T, dir, file string, v any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, file), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, command ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", command, err, out)
	}
}
