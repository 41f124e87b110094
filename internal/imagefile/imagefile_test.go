package imagefile

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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

func TestLayouts(t *testing.T) {
	amd, arm := made(t, "amd64"), made(t, "arm64")
	both := several(t, map[string]v1.Image{"amd64": amd, "arm64": arm})
	for what, test := range map[string]struct {
		named         map[string]mutate.Appendable
		names         string
		digest        string
		platforms     []string
		blobs, levels int
	}{
		"as skopeo names it":   {map[string]mutate.Appendable{"org.opencontainers.image.ref.name=1.23": amd}, "1.23", digestOf(t, amd), []string{"linux/amd64"}, 3, 1},
		"as podman names it":   {map[string]mutate.Appendable{"org.opencontainers.image.ref.name=docker.io/library/golang:1.23": amd}, "golang:1.23", digestOf(t, amd), []string{"linux/amd64"}, 3, 1},
		"as BuildKit names it": {map[string]mutate.Appendable{"org.opencontainers.image.ref.name=1.23 io.containerd.image.name=docker.io/library/golang:1.23": amd}, "golang:1.23", digestOf(t, amd), []string{"linux/amd64"}, 3, 1},
		"without a name":       {map[string]mutate.Appendable{"": amd}, "an image without a name", digestOf(t, amd), []string{"linux/amd64"}, 3, 1},
		"for two platforms":    {map[string]mutate.Appendable{"org.opencontainers.image.ref.name=host:5000/a/b:2": both}, "b:2", digestOf(t, both), []string{"linux/amd64", "linux/arm64"}, 6, 3},
	} {
		t.Run(what, func(t *testing.T) {
			dir := layoutOf(t, test.named)
			for _, source := range []string{dir, "oci:" + dir, packed(t, dir, nil), "oci-archive:" + packed(t, dir, nil), packed(t, dir, gzipped)} {
				a := open(t, source)
				if got := names(a); got != test.names {
					t.Fatalf("%s: %s, want %s", source, got, test.names)
				}
				image := a.Images[0]
				if got := image.Own().Digest.String(); got != test.digest || !slices.Equal(image.Platforms, test.platforms) || len(image.Blobs) != test.blobs || len(image.Manifests) != test.levels || image.Missing != nil {
					t.Errorf("%s: %s for %v, %d blobs, %d manifests, missing %v", source, got, image.Platforms, len(image.Blobs), len(image.Manifests), image.Missing)
				}
			}
		})
	}
}

// Some tools list an image's platforms in the layout's own index.
func TestPlatformsInTheLayoutsIndexAreOneImage(t *testing.T) {
	amd, arm := made(t, "amd64"), made(t, "arm64")
	dir := t.TempDir()
	if _, err := ggcr.Write(dir, several(t, map[string]v1.Image{"amd64": amd, "arm64": arm})); err != nil {
		t.Fatal(err)
	}
	a := open(t, dir)
	if len(a.Images) != 1 || !slices.Equal(a.Images[0].Platforms, []string{"linux/amd64", "linux/arm64"}) || len(a.Images[0].Manifests) != 3 {
		t.Errorf("%+v", a.Images)
	}
	if twice := open(t, dir); twice.Images[0].Own().Digest != a.Images[0].Own().Digest {
		t.Error("it is another image each time")
	}
}

func TestDockerArchives(t *testing.T) {
	one, other := made(t, "amd64"), made(t, "arm64")
	base, err := one.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if other, err = mutate.AppendLayers(other, base[0]); err != nil { // layers may be shared
		t.Fatal(err)
	}
	archive := saved(t, map[string]v1.Image{"golang:1.23": one, "ghcr.io/acme/tools/lint:v2": other})
	zipped := filepath.Join(t.TempDir(), "saved.tar.gz")
	run(t, "sh", "-c", "gzip < "+asDocker(t, archive)+" > "+zipped)
	layers, err := one.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var digests []string
	for i, source := range []string{archive, "docker-archive:" + archive, asDocker(t, archive), zipped} {
		a := open(t, source)
		if got := names(a); got != "golang:1.23 lint:v2" {
			t.Fatalf("%s: %s", source, got)
		}
		image := a.Images[slices.IndexFunc(a.Images, func(i Image) bool { return i.Name == "golang" })]
		var m v1.Manifest
		if err := json.Unmarshal(image.Own().Body, &m); err != nil {
			t.Fatal(err)
		}
		config, err := one.ConfigName()
		if err != nil || m.Config.Digest != config || m.MediaType != types.DockerManifestSchema2 || m.Layers[0].MediaType != types.DockerLayer || !slices.Equal(image.Platforms, []string{"linux/amd64"}) {
			t.Errorf("%s: %s", source, image.Own().Body)
		}
		if kept := m.Layers[0].Digest.String() == digestOf(t, layers[0]); i < 2 && !kept {
			t.Errorf("%s: layers that were compressed did not stay as they were", source)
		}
		digests = append(digests, image.Own().Digest.String())
	}
	if digests[2] != digests[3] {
		t.Errorf("the same layers became %v", digests)
	}
	if a := open(t, archive+":golang:1.23"); names(a) != "golang:1.23" {
		t.Errorf("chosen by name: %s", names(a))
	}
	if a := open(t, "docker-archive:"+archive+":v2"); names(a) != "lint:v2" {
		t.Errorf("chosen by tag: %s", names(a))
	}
	if _, err := Open(archive+":3", nil); err == nil || !strings.Contains(err.Error(), `no image "3"; it contains: `) {
		t.Errorf("chosen by what is not there: %v", err)
	}
}

// `docker save` linked a layer that comes twice, and it is also in archives that have hard links.
func TestLinkedLayers(t *testing.T) {
	for _, kind := range []byte{tar.TypeSymlink, tar.TypeLink} {
		first := ""
		archive := asDocker(t, saved(t, map[string]v1.Image{"a:1": made(t, "amd64")}))
		linked := rewritten(t, archive, func(header *tar.Header, content []byte) []byte {
			if first == "" && strings.HasSuffix(header.Name, "/layer.tar") {
				first, header.Name = header.Name, "elsewhere/layer.tar"
			}
			return content
		})
		file, err := os.OpenFile(linked, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Seek(-1024, io.SeekEnd); err != nil { // over its end
			t.Fatal(err)
		}
		target := map[byte]string{tar.TypeSymlink: "../elsewhere/layer.tar", tar.TypeLink: "elsewhere/layer.tar"}[kind]
		w := tar.NewWriter(file)
		if err := w.WriteHeader(&tar.Header{Name: first, Linkname: target, Typeflag: kind}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		if a := open(t, linked); len(a.Images[0].Blobs) != 3 {
			t.Errorf("%c: %d blobs", kind, len(a.Images[0].Blobs))
		}
	}
}

// `docker save` of an image of which one platform was pulled has the whole index, and one platform.
func TestPlatformsThatWereNotPulledAreLeftOut(t *testing.T) {
	amd, arm := made(t, "amd64"), made(t, "arm64")
	layers, err := arm.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for what, gone := range map[string]string{"its manifest": digestOf(t, arm), "a layer": digestOf(t, layers[0])} {
		dir := layoutOf(t, map[string]mutate.Appendable{"org.opencontainers.image.ref.name=1": several(t, map[string]v1.Image{"amd64": amd, "arm64": arm})})
		if err := os.Remove(filepath.Join(dir, "blobs", strings.Replace(gone, ":", "/", 1))); err != nil {
			t.Fatal(err)
		}
		image := open(t, dir).Images[0]
		if !slices.Equal(image.Platforms, []string{"linux/amd64"}) || !slices.Equal(image.Missing, []string{"linux/arm64"}) || len(image.Blobs) != 3 || len(image.Manifests) != 2 {
			t.Errorf("without %s: %v, missing %v, %d blobs, %d manifests", what, image.Platforms, image.Missing, len(image.Blobs), len(image.Manifests))
		}
		var index v1.IndexManifest
		if err := json.Unmarshal(image.Own().Body, &index); err != nil || len(index.Manifests) != 1 || index.Manifests[0].Digest.String() != digestOf(t, amd) {
			t.Errorf("without %s: %s, %v", what, image.Own().Body, err)
		}
	}
}

// Since version 25 `docker save` writes both forms into one archive.
func TestBothFormsInOneArchive(t *testing.T) {
	image := made(t, "amd64")
	dir := layoutOf(t, map[string]mutate.Appendable{"io.containerd.image.name=docker.io/library/golang:1.23": image})
	m, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	entry := savedImage{Config: "blobs/sha256/" + m.Config.Digest.Hex, RepoTags: []string{"golang:1.23"}}
	for _, layer := range m.Layers {
		entry.Layers = append(entry.Layers, "blobs/sha256/"+layer.Digest.Hex)
	}
	write(t, dir, "manifest.json", []savedImage{entry})
	if got := open(t, packed(t, dir, nil)).Images[0].Own().Digest.String(); got != digestOf(t, image) {
		t.Errorf("compressed layers: %s, want the image as it was pulled, %s", got, digestOf(t, image))
	}
	plain := asPlain(t, image)
	dir = layoutOf(t, map[string]mutate.Appendable{"io.containerd.image.name=docker.io/library/golang:1.23": plain})
	if m, err = plain.Manifest(); err != nil {
		t.Fatal(err)
	}
	entry.Layers = nil
	for _, layer := range m.Layers {
		entry.Layers = append(entry.Layers, "blobs/sha256/"+layer.Digest.Hex)
	}
	write(t, dir, "manifest.json", []savedImage{entry})
	if own := open(t, packed(t, dir, nil)).Images[0].Own(); own.MediaType != dockerManifest {
		t.Errorf("layers as Docker unpacked them stay so: %s", own.Body)
	}
	if own := open(t, "oci-archive:"+packed(t, dir, nil)).Images[0].Own(); own.Digest.String() != digestOf(t, plain) {
		t.Errorf("as it is asked for: %s", own.Body)
	}
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

// What skopeo writes of an image in each of its forms, it is read from.
func TestWhatSkopeoWrites(t *testing.T) {
	if _, err := exec.LookPath("skopeo"); err != nil {
		t.Fatal(err)
	}
	image := made(t, "amd64")
	dir, out := layoutOf(t, map[string]mutate.Appendable{"org.opencontainers.image.ref.name=1": image}), t.TempDir()
	for to, want := range map[string]string{"oci:" + out + "/dir:2.0": "2.0", "oci-archive:" + out + "/oci.tar:golang:3": "golang:3", "docker-archive:" + out + "/docker.tar:golang:4": "golang:4"} {
		run(t, "skopeo", "copy", "--insecure-policy", "oci:"+dir+":1", to)
		kind, rest, _ := strings.Cut(to, ":")
		file, _, _ := strings.Cut(rest, ":")
		for _, source := range []string{file, kind + ":" + file, to} {
			if got := names(open(t, source)); got != want {
				t.Errorf("%s: %s, want %s", source, got, want)
			}
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	image := made(t, "amd64")
	dir := layoutOf(t, map[string]mutate.Appendable{"org.opencontainers.image.ref.name=1": image})
	docker := saved(t, map[string]v1.Image{"a:1": image})
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	layer := "blobs/sha256/" + strings.TrimPrefix(digestOf(t, layers[0]), "sha256:")
	changed := func(change func(dir string)) string {
		copied := t.TempDir()
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		change(copied)
		return copied
	}
	overwrite := func(file, text string) func(string) {
		return func(dir string) {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	cut := func(archive string, part int) string {
		text, err := os.ReadFile(archive)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "cut.tar")
		if err := os.WriteFile(file, text[:len(text)*part/10], 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for what, test := range map[string]struct{ source, want string }{
		"no such file":         {"/nowhere.tar", "no such file"},
		"no archive":           {changedFile(t, "hello"), "is not a tar archive"},
		"empty":                {changedFile(t, ""), "neither a docker archive nor an OCI layout"},
		"compressed by xz":     {changedFile(t, "\xfd7zXZ\x00......"), "xz -d"},
		"another archive":      {packed(t, t.TempDir(), nil), "neither a docker archive nor an OCI layout"},
		"skopeo's dir":         {changedDir(t, map[string]string{"manifest.json": "{}", "version": "Directory Transport Version: 1.1\n"}), "skopeo copy"},
		"Docker 1.9":           {changedDir(t, map[string]string{"repositories": "{}"}), "before version 1.10"},
		"not that form":        {"docker-archive:" + dir, "no manifest.json"},
		"not this form":        {"oci-archive:" + docker, "no index.json"},
		"no images":            {changedDir(t, map[string]string{"index.json": `{"schemaVersion":2,"manifests":[]}`}), "contains no image"},
		"no saved images":      {changedDir(t, map[string]string{"manifest.json": `[]`}), "contains no image"},
		"bad index":            {changed(overwrite("index.json", "{")), "index.json: unexpected end"},
		"another schema":       {changed(overwrite("index.json", `{"manifests":[{"digest":"x"}]}`)), "damaged"},
		"changed layer":        {changed(overwrite(layer, "x")), "does not have the content of its digest"},
		"missing layer":        {changed(func(dir string) { _ = os.Remove(filepath.Join(dir, layer)) }), "contains no " + layer},
		"changed manifest":     {changed(overwrite("blobs/sha256/"+strings.TrimPrefix(digestOf(t, image), "sha256:"), "{}")), "does not have the content of its digest"},
		"cut layout":           {cut(packed(t, dir, nil), 7), "damaged or incomplete"},
		"cut, compressed":      {cut(packed(t, dir, gzipped), 7), "damaged or incomplete"},
		"cut docker archive":   {cut(docker, 7), "damaged or incomplete"},
		"docker, config gone":  {rewritten(t, docker, without("sha256:")), "contains no sha256:"},
		"docker, layer gone":   {rewritten(t, docker, without(".tar.gz")), "damaged or incomplete: it contains no"},
		"docker, bad layer":    {rewritten(t, docker, replaced(".tar.gz", "not what it was")), "does not have the content that the image's configuration tells of"},
		"docker, bad gzip":     {rewritten(t, docker, replaced(".tar.gz", "\x1f\x8bnot what it was")), "damaged"},
		"docker, fewer layers": {rewritten(t, docker, fewerLayers), "tells of 2 layers, and manifest.json of 1"},
	} {
		a, err := Open(test.source, nil)
		if err == nil {
			err = a.Close()
			t.Errorf("%s: no error, %v", what, err)
		} else if !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %q, want %q", what, err, test.want)
		}
	}
}

func changedFile(t *testing.T, text string) string {
	t.Helper()
	return filepath.Join(changedDir(t, map[string]string{"file": text}), "file")
}

func changedDir(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func without(part string) func(*tar.Header, []byte) []byte {
	return func(header *tar.Header, content []byte) []byte {
		if strings.Contains(header.Name, part) {
			header.Name = ""
		}
		return content
	}
}

func replaced(part, text string) func(*tar.Header, []byte) []byte {
	return func(header *tar.Header, content []byte) []byte {
		if strings.Contains(header.Name, part) {
			return []byte(text)
		}
		return content
	}
}

func fewerLayers(header *tar.Header, content []byte) []byte {
	if header.Name != "manifest.json" {
		return content
	}
	var saved []savedImage
	if json.Unmarshal(content, &saved) != nil {
		return nil
	}
	saved[0].Layers = saved[0].Layers[:1]
	changed, _ := json.Marshal(saved)
	return changed
}

// A stream is read as it comes.
func TestStandardInput(t *testing.T) {
	text, err := os.ReadFile(saved(t, map[string]v1.Image{"a:1": made(t, "amd64")}))
	if err != nil {
		t.Fatal(err)
	}
	a, err := Open("-", bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if names(a) != "a:1" {
		t.Errorf("%s", names(a))
	}
	temp := a.temp
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(temp); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", temp, err)
	}
}

func FuzzArchive(f *testing.F) {
	for _, text := range []string{`[{"Config":"c","RepoTags":["a:1"],"Layers":["l"]}]`, `{"manifests":[{"digest":"sha256:x","platform":{}}]}`} {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, index, other string) {
		dir := changedDir(t, map[string]string{"index.json": index, "manifest.json": other, "c": other, "l": index})
		if a, err := Open(dir, nil); err == nil {
			for _, image := range a.Images {
				_ = fmt.Sprint(image, image.Own())
			}
			_ = a.Close()
		}
	})
}

var _ fs.FS = os.DirFS("")
