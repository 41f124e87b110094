package imagefile

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	ggcr "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

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
