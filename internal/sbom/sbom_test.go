package sbom

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/klauspost/compress/zstd"

	"github.com/fandoghpaas/fandogh/catalog"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

// entry is one of a layer: a directory if its name ends in "/", a link if it is "name -> target" or, a hard one, "name => target".
type entry struct{ name, content string }

func layer(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var text bytes.Buffer
	w := tar.NewWriter(&text)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o755, Size: int64(len(e.content)), Typeflag: tar.TypeReg}
		if strings.HasSuffix(e.name, "/") {
			h.Typeflag = tar.TypeDir
		} else if name, target, ok := strings.Cut(e.name, " -> "); ok {
			h.Name, h.Linkname, h.Typeflag = name, target, tar.TypeSymlink
		} else if name, target, ok := strings.Cut(e.name, " => "); ok {
			h.Name, h.Linkname, h.Typeflag = name, target, tar.TypeLink
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

func opening(layers ...[]byte) (all []func() (io.ReadCloser, error)) {
	for _, l := range layers {
		all = append(all, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(l)), nil })
	}
	return all
}

const (
	package1 = "package.json"
	inA      = "a/package.json"
	inAB     = "a/b/package.json"
)

func TestLayersLieOnOneAnother(t *testing.T) {
	for name, test := range map[string]struct {
		layers [][]entry
		want   string
	}{
		"a file, changed":                    {[][]entry{{{inA, "1"}, {inAB, "1"}}, {{inA, "2"}}}, "a/b/package.json=1 a/package.json=2"},
		"twice in one layer":                 {[][]entry{{{inA, "1"}, {inA, "2"}}}, "a/package.json=2"},
		"a whiteout":                         {[][]entry{{{inA, "1"}, {inAB, "1"}}, {{"a/.wh.package.json", ""}}}, "a/b/package.json=1"},
		"of a directory":                     {[][]entry{{{inA, "1"}, {inAB, "1"}, {package1, "1"}}, {{".wh.a", ""}}}, "package.json=1"},
		"that leaves its own layer's":        {[][]entry{{{inA, "1"}}, {{inA, "2"}, {"a/.wh.package.json", ""}}}, "a/package.json=2"},
		"an opaque directory":                {[][]entry{{{inA, "1"}, {inAB, "1"}, {package1, "1"}}, {{inA, "2"}, {"a/.wh..wh..opq", ""}}}, "a/package.json=2 package.json=1"},
		"opaque ones in each other":          {[][]entry{{{inA, "1"}, {inAB, "1"}}, {{"a/b/.wh..wh..opq", ""}, {inAB, "2"}, {"a/.wh..wh..opq", ""}}}, "a/b/package.json=2"},
		"a directory that is gone and back":  {[][]entry{{{inAB, "1"}}, {{"a/.wh.b", ""}}, {{inAB, "2"}}, {{".wh.a", ""}, {inA, "3"}}}, "a/package.json=3"},
		"an opaque root":                     {[][]entry{{{inA, "1"}, {package1, "1"}}, {{".wh..wh..opq", ""}, {inA, "2"}}}, "a/package.json=2"},
		"a file in place of a directory":     {[][]entry{{{"a/package.json/package.json", "1"}}, {{inA, "2"}}}, "a/package.json=2"},
		"in place of one that became empty":  {[][]entry{{{"a/package.json/package.json", "1"}}, {{"a/package.json/.wh.package.json", ""}}, {{inA, "2"}}}, "a/package.json=2"},
		"a directory in place of a file":     {[][]entry{{{inA, "1"}}, {{"a/package.json/", ""}}}, ""},
		"which is not said":                  {[][]entry{{{inA, "1"}}, {{"a/package.json/package.json", "2"}}}, "a/package.json/package.json=2"},
		"a symbolic link in place of a file": {[][]entry{{{inA, "1"}}, {{inA + " -> /etc/passwd", ""}}}, ""},
		"one in place of a directory":        {[][]entry{{{inA, "1"}}, {{"a -> b", ""}}}, ""},
		"through a symbolic link":            {[][]entry{{{"a -> /etc", ""}, {inA, "1"}}}, "a/package.json=1"},
		"a hard link":                        {[][]entry{{{inA, "1"}, {inAB + " => " + inA, ""}}, {{"a/.wh.package.json", ""}}}, "a/b/package.json=1"},
		"one to a file that is not kept":     {[][]entry{{{"store/1", "1"}, {"store/2", "2"}, {inA + " => store/1", ""}, {inAB + " => store/1", ""}, {package1 + " => store/2", ""}, {package1, "3"}, {"b/package.json => store/2", ""}, {"b/package.json/package.json", "4"}}}, "a/b/package.json=1 a/package.json=1 b/package.json/package.json=4 package.json=3"},
		"one to nowhere":                     {[][]entry{{{inAB + " => ../../etc/passwd", ""}}}, ""},
		"names that lead out":                {[][]entry{{{"../../etc/" + package1, "1"}, {"/" + package1, "1"}, {"./a//./package.json", "1"}}}, "a/package.json=1 etc/package.json=1 package.json=1"},
		"what is not looked at":              {[][]entry{{{"bin/sh", "#!/bin/sh"}, {"bin/ls", "\x7fELF"}, {"data", "x"}, {"tmp/package.json", "x"}, {"tmp", "\x7fELF"}}}, "bin/ls=\x7fELF"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var layers [][]byte
			for _, entries := range test.layers {
				layers = append(layers, layer(t, entries...))
			}
			if err := unpack(t.Context(), dir, opening(layers...)); err != nil {
				t.Fatal(err)
			}
			var got []string
			err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				text, err := os.ReadFile(filepath.Join(dir, name))
				got = append(got, name+"="+string(text))
				return err
			})
			if err != nil || strings.Join(got, " ") != test.want {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

func lister(t *testing.T) *Lister {
	t.Helper()
	l, err := New(filepath.Join(t.TempDir(), "sbom"), hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// packages returns the document of an image and its packages' URLs.
func packages(t *testing.T, l *Lister, layers ...[]byte) (text []byte, urls []string) {
	t.Helper()
	text, err := l.List(t.Context(), Image{
		Repository: "registry.example.com/ali/shop", Version: "v1", Digest: "sha256:" + strings.Repeat("ab", 32),
		Namespace: "https://fandogh.example.com/x", Tool: "fandogh-1", Created: time.Unix(1e9, 0), Layers: opening(layers...),
	})
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Packages []struct {
			ExternalRefs []struct {
				ReferenceLocator string `json:"referenceLocator"`
			} `json:"externalRefs"`
		} `json:"packages"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	for _, p := range doc.Packages {
		urls = append(urls, p.ExternalRefs[0].ReferenceLocator)
	}
	return text, urls
}

func TestPackagesAreListed(t *testing.T) {
	program, err := os.ReadFile("/proc/self/exe") // of Go, and has modules
	if err != nil {
		t.Fatal(err)
	}
	system := layer(t, entry{"usr/lib/os-release", "ID=debian\nVERSION_ID=\"13\"\nVERSION_CODENAME=trixie\n"}, entry{"etc/os-release -> ../usr/lib/os-release", ""},
		entry{"var/lib/dpkg/status", "Package: libc6\nStatus: install ok installed\nVersion: 2.41-1\nArchitecture: amd64\nSource: glibc\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n"})
	app := layer(t, entry{"usr/lib/python3/dist-packages/flask-3.0.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: flask\nVersion: 3.0.0\n\n"},
		entry{"app/node_modules/@acme/pad/package.json", `{"name": "@acme/pad", "version": "1.2.3"}`},
		entry{"lib/apk/db/installed", "P:musl\nV:1.2.5-r0\nA:x86_64\n\n"},
		entry{strings.Repeat("d/", maxDepth-1) + package1, `{"name": "deep", "version": "1"}`}, entry{"app/server", string(program)}, entry{"app/broken/package.json", "{"})
	var packed bytes.Buffer
	w, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(app); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	l := lister(t)
	text, got := packages(t, l, system, packed.Bytes())
	for _, want := range []string{
		"pkg:oci/shop@sha256:" + strings.Repeat("ab", 32) + "?repository_url=registry.example.com%2Fali%2Fshop&tag=v1",
		"pkg:deb/debian/libc6@2.41-1?arch=amd64&distro=trixie&source=glibc", "pkg:pypi/flask@3.0.0", "pkg:npm/%40acme/pad@1.2.3", "pkg:npm/deep@1",
		"pkg:apk/debian/musl@1.2.5-r0?arch=x86_64&distro=13", "pkg:golang/stdlib@" + strings.TrimPrefix(runtime.Version(), "go"),
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not in the list:\n%s", want, strings.Join(got, "\n"))
		}
	}
	if strings.Contains(string(text), "gone") || !strings.Contains(string(text), "could not be read: app/broken/package.json") || strings.Contains(string(text), `SPDXRef-NOASSERTION`) {
		t.Errorf("got %.2000s", text)
	}
	defer syscall.Umask(syscall.Umask(0o077)) // whatever the daemon's is
	if again, _ := packages(t, l, system, packed.Bytes()); !bytes.Equal(text, again) {
		t.Error("the second list of the same image is another one")
	}
	if left, err := os.ReadDir(l.dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestImagesThatCanNotBeListed(t *testing.T) {
	var cut bytes.Buffer
	w := gzip.NewWriter(&cut)
	if _, err := w.Write(layer(t, entry{package1, strings.Repeat("{", 1<<20)})); err != nil || w.Flush() != nil {
		t.Fatal(err)
	}
	gone := catalog.Errorf(catalog.NotFound, "gone")
	for name, test := range map[string]struct {
		layer func() (io.ReadCloser, error)
		want  catalog.Code
		limit time.Duration
	}{
		"no tar":      {layer: opening([]byte(strings.Repeat("no tar ", 1000)))[0], want: catalog.Invalid},
		"cut":         {layer: opening(cut.Bytes()[:cut.Len()/2])[0], want: catalog.Invalid},
		"xz":          {layer: opening([]byte("\xfd7zXZ\x00"))[0], want: catalog.Invalid},
		"not there":   {layer: func() (io.ReadCloser, error) { return nil, gone }, want: catalog.NotFound},
		"large names": {layer: opening(layer(t, entry{strings.Repeat("a", 300) + "/" + package1, "1"}))[0], want: catalog.Invalid},
		"deep names":  {layer: opening(layer(t, entry{strings.Repeat("a/", 20_000) + package1, "1"}))[0], want: catalog.Invalid}, // their directories could not be removed
		"no whiteout": {layer: opening(layer(t, entry{".wh.", ""}))[0], want: catalog.Invalid},
		"no end":      {layer: func() (io.ReadCloser, error) { return io.NopCloser(endless{}), nil }, want: catalog.Invalid, limit: time.Millisecond},
	} {
		l := lister(t)
		l.unpack = cmp.Or(test.limit, maxUnpack)
		_, err := l.List(t.Context(), Image{Layers: []func() (io.ReadCloser, error){test.layer}})
		if catalog.CodeOf(err) != test.want {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
		if left, err := os.ReadDir(l.dir); err != nil || len(left) > 0 {
			t.Errorf("%s: %v is left, %v", name, left, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lister(t).List(ctx, Image{Layers: opening(layer(t))}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: got %v", err)
	}
}

// endless is a layer of one file that has no end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	h := tar.Header{Name: "data", Typeflag: tar.TypeReg, Size: 1 << 60}
	var text bytes.Buffer
	if err := tar.NewWriter(&text).WriteHeader(&h); err != nil {
		return 0, err
	}
	return copy(p, text.Bytes()), nil
}

// What needs more memory than there is for it ends the child and nothing else.
func TestFilesThatTakeTooMuch(t *testing.T) {
	deep := `{"name": "a", "version": "1", "x": ` + strings.Repeat(`{"x":`, 9_000) + `1` + strings.Repeat("}", 9_000) + "}"
	_, got := packages(t, lister(t), layer(t, entry{inA, deep}, entry{inAB, `{"name": "b", "version": "1"}`}))
	if !slices.Contains(got, "pkg:npm/b@1") {
		t.Errorf("got %v", got)
	}
}
