package imagefile

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

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
