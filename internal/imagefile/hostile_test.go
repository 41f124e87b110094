package imagefile

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	ggcr "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

// put writes a blob of a layout.
func put(t *testing.T, dir string, v any) ocispec.Descriptor {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	d := digest.FromBytes(text)
	if err := os.WriteFile(filepath.Join(dir, "blobs", "sha256", d.Encoded()), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: d, Size: int64(len(text))}
}

// An index that lists another twice, which lists another twice, and so on, is small and has no end.
func TestIndexesThatRepeat(t *testing.T) {
	image := made(t, "amd64")
	dir := layoutOf(t, map[string]mutate.Appendable{"": image})
	var top ocispec.Index
	read, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err == nil {
		err = json.Unmarshal(read, &top)
	}
	if err != nil {
		t.Fatal(err)
	}
	at := top.Manifests[0]
	for range 40 {
		at = put(t, dir, map[string]any{"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageIndex, "manifests": []ocispec.Descriptor{at, at}})
	}
	write(t, dir, "index.json", map[string]any{"schemaVersion": 2, "manifests": []ocispec.Descriptor{at}})
	a := open(t, dir)
	if got := len(a.Images[0].Manifests); got != 41 || a.Images[0].Own().Digest != at.Digest {
		t.Errorf("%d manifests, the last %s", got, a.Images[0].Own().Digest)
	}
	// The same without what it ends in.
	if err := os.Remove(filepath.Join(dir, "blobs", "sha256", strings.TrimPrefix(digestOf(t, image), "sha256:"))); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, nil); err == nil || !strings.Contains(err.Error(), "contains no") {
		t.Errorf("%v", err)
	}
}

// What an index lists is what goes with it, also where an index in an index lacks a platform.
func TestIndexInAnIndexWithoutAPlatform(t *testing.T) {
	amd, arm := made(t, "amd64"), made(t, "arm64")
	dir := t.TempDir()
	path, err := ggcr.Write(dir, mutate.AppendManifests(several(t, nil), mutate.IndexAddendum{Add: several(t, map[string]v1.Image{"amd64": amd, "arm64": arm})}))
	if err != nil {
		t.Fatal(err)
	}
	index, err := path.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	outer := layoutOf(t, map[string]mutate.Appendable{"": index})
	if err := os.Remove(filepath.Join(outer, "blobs", "sha256", strings.TrimPrefix(digestOf(t, arm), "sha256:"))); err != nil {
		t.Fatal(err)
	}
	a := open(t, outer)
	if len(a.Images) != 1 || len(a.Images[0].Missing) != 1 {
		t.Fatalf("%+v", a.Images)
	}
	sent := map[digest.Digest]int{}
	for _, m := range a.Images[0].Manifests {
		var listed ocispec.Index
		if err := json.Unmarshal(m.Body, &listed); err != nil {
			t.Fatal(err)
		}
		for _, child := range listed.Manifests {
			if size, ok := sent[child.Digest]; !ok || int64(size) != child.Size {
				t.Errorf("%s lists %s of %d bytes, which was not sent before it", m.Digest, child.Digest, child.Size)
			}
		}
		sent[m.Digest] = len(m.Body)
	}
}

// A directory is no way to files beside it, nor to what is none.
func TestDirectoriesThatLeadElsewhere(t *testing.T) {
	secret := filepath.Join(changedDir(t, map[string]string{"config.json": `{"auths":{"registry.example.com":{"auth":"c2VjcmV0"}}}`}), "config.json")
	dir := changedDir(t, map[string]string{"manifest.json": `[{"Config":"c.json","RepoTags":["a:1"],"Layers":[]}]`})
	for what, lead := range map[string]func(string) error{
		"a link":     func(file string) error { return os.Symlink(secret, file) },
		"a pipe":     func(file string) error { return unix.Mkfifo(file, 0o600) },
		"a device":   func(file string) error { return unix.Mknod(file, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))) },
		"a folder":   func(file string) error { return os.Mkdir(file, 0o700) },
		"links only": func(file string) error { return os.Symlink(file, file) },
	} {
		file := filepath.Join(dir, "c.json")
		if err := lead(file); errors.Is(err, unix.EPERM) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		if a, err := Open(dir, nil); err == nil {
			t.Errorf("%s was followed: %+v", what, a.Images)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(secret, filepath.Join(dir, "inside.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("inside.json", filepath.Join(dir, "c.json")); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

// Many entries of the same are read once.
func TestListsThatRepeat(t *testing.T) {
	big := `{"x":"` + strings.Repeat("x", 1<<20) + `"}`
	entries := strings.Repeat(`{"Config":"c.json","Layers":[]},`, 1000)
	dir := changedDir(t, map[string]string{"c.json": big, "manifest.json": "[" + strings.TrimSuffix(entries, ",") + "]"})
	if _, err := Open(dir, nil); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("%v", err)
	}
}

// A disk that is full is none of the archive's.
func TestDiskThatIsFull(t *testing.T) {
	image := made(t, "amd64")
	for what, source := range map[string]string{"spooled": packed(t, layoutOf(t, map[string]mutate.Appendable{"": image}), gzipped), "compressed": asDocker(t, saved(t, map[string]v1.Image{"a:1": image}))} {
		t.Setenv("TMPDIR", "/nowhere")
		_, err := Open(source, nil)
		if err == nil || strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), "/nowhere") {
			t.Errorf("%s: %v", what, err)
		}
		t.Setenv("TMPDIR", "")
	}
	if err := faultOf("a.tar", &os.PathError{Op: "write", Path: "/tmp/x", Err: unix.ENOSPC}); strings.Contains(err.Error(), "damaged") || !errors.Is(err, unix.ENOSPC) {
		t.Error(err)
	}
	if err := faultOf("a.tar", io.ErrUnexpectedEOF); !strings.Contains(err.Error(), "damaged") {
		t.Error(err)
	}
}

// A tag that is none could steer a terminal.
func TestNamesThatAreNone(t *testing.T) {
	dir := layoutOf(t, map[string]mutate.Appendable{"org.opencontainers.image.ref.name=1\x1b[31m": made(t, "amd64")})
	if got := names(open(t, dir)); got != "an image without a name" {
		t.Errorf("%q", got)
	}
}

// Layouts may link to blobs elsewhere, for those have the content of their digest: Bazel's rules do.
func TestLayoutsThatLinkTheirBlobs(t *testing.T) {
	dir, elsewhere := layoutOf(t, map[string]mutate.Appendable{"": made(t, "amd64")}), t.TempDir()
	blobs := filepath.Join(dir, "blobs", "sha256")
	entries, err := os.ReadDir(blobs)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if err := os.Rename(filepath.Join(blobs, entry.Name()), filepath.Join(elsewhere, entry.Name())); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(elsewhere, entry.Name()), filepath.Join(blobs, entry.Name())); err != nil {
			t.Fatal(err)
		}
	}
	open(t, dir)
}

// Other tools that store the same archive make the same manifest of it, so that a digest tells the image everywhere.
func TestManifestsAreThoseOfOthers(t *testing.T) {
	archive := saved(t, map[string]v1.Image{"golang:1.23": made(t, "amd64")})
	theirs, err := tarball.ImageFromPath(archive, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := open(t, archive).Images[0].Own(); got.Digest.String() != digestOf(t, theirs) {
		t.Errorf("%s: %s", got.Digest, got.Body)
	}
}
