package imagefiles

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/imagediff"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// images are layers by the names of images: "a b" has the layers a and b.
type images struct {
	catalog.ImageContents
	layers map[string][]byte
	opened map[string]int
	open   func(layer string) io.Reader // in place of what is stored; nil: what is stored
}

func (i *images) PlatformImages(_ context.Context, _ catalog.ImageRef, manifest string) (all []catalog.PlatformImage, err error) {
	for platform := range strings.SplitSeq(manifest, "|") {
		all = append(all, catalog.PlatformImage{Manifest: platform, Platform: fmt.Sprintf("linux/%d", len(all)), Layers: strings.Fields(platform)})
	}
	return all, nil
}

func (i *images) OpenLayer(_ context.Context, _ catalog.ImageRef, layer string) (io.ReadCloser, error) {
	i.opened[layer]++
	if i.open != nil {
		return io.NopCloser(i.open(layer)), nil
	}
	return io.NopCloser(bytes.NewReader(i.layers[layer])), nil
}

// newFiles makes layers of lines such as "etc/ 755", "etc/passwd content", "bin -> usr/bin", "etc/.wh.x".
func newFiles(t *testing.T, limits Limits, layers map[string]string) (*Files, *images) {
	t.Helper()
	made := &images{layers: map[string][]byte{}, opened: map[string]int{}}
	for name, lines := range layers {
		made.layers[name] = layerOf(t, lines)
	}
	f := New(Config{Images: made, Limits: limits, Logger: hclog.NewNullLogger()})
	t.Cleanup(func() { _ = f.Close() })
	return f, made
}

func layerOf(t *testing.T, lines string) []byte {
	t.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	w := tar.NewWriter(zip)
	for line := range strings.Lines(lines) {
		name, content, _ := strings.Cut(strings.TrimSpace(line), " ")
		h := tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}
		target, isLink := strings.CutPrefix(content, "-> ")
		switch {
		case strings.HasSuffix(name, "/"):
			h.Typeflag, h.Mode, content = tar.TypeDir, 0o755, ""
		case isLink:
			h.Typeflag, h.Linkname, content = tar.TypeSymlink, target, ""
		}
		h.Size = int64(len(content))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if w.Close() != nil || zip.Close() != nil {
		t.Fatal("it can't be written")
	}
	return packed.Bytes()
}

// said writes a list as "name kind size/files layer".
func said(l catalog.FileList) string {
	var all []string
	for _, f := range l.Files {
		all = append(all, fmt.Sprintf("%s %s %d/%d@%d", f.Name, f.Kind, f.Size, f.Files, f.Layer))
	}
	return strings.Join(all, ", ")
}

func TestListFiles(t *testing.T) {
	layers := map[string]string{
		"base":    "etc/\netc/passwd root\netc/group g\nbin -> usr/bin\nusr/bin/sh shell\nvar/cache/a 1\nvar/cache/b 22",
		"app":     "etc/passwd me\napp/main.js code\napp/.wh.x\nvar/cache/.wh..wh..opq\nvar/cache/c 333",
		"gone":    ".wh.app\nusr/.wh.bin\nusr/new 4",
		"odd":     "../../up 1\n/abs 2\n./a/../b 3\n.wh. 1\n.wh... 2\na\nx/y/.wh..wh..opq",
		"instead": "etc file",
		"twice":   "etc/passwd 1\netc/passwd 22\netc/.wh.passwd\nvar/\nvar/.wh.cache\nvar/cache/new 1",
		"order":   "a/x 1\na-b/y 1\na! 1\na/z/! 22\ns/.wh..wh..opq\ns/* 1",
		"none":    "",
		"<b>&\"":  "<script>alert(1)</script> 1\n\xff\xfe 1\nnew\x01line 1",
	}
	f, _ := newFiles(t, Limits{}, layers)
	for _, c := range []struct {
		image string
		layer int
		dir   string
		want  string
	}{
		{"base", -1, "/", "/etc dir 5/2@0, /usr dir 5/1@-1, /var dir 3/2@-1, /bin symlink 0/0@0"},
		{"base", -1, "usr/", "/usr/bin dir 5/1@-1"},
		{"base app", -1, "/", "/app dir 4/1@-1, /etc dir 3/2@0, /usr dir 5/1@-1, /var dir 3/1@-1, /bin symlink 0/0@0"},
		{"base app", -1, "/etc", "/etc/group file 1/0@0, /etc/passwd file 2/0@1"},
		{"base app", -1, "/var/cache", "/var/cache/c file 3/0@1"},
		{"base app", 1, "/var/cache", "/var/cache/* gone 0/0@1, /var/cache/c file 3/0@1"},
		{"base app", 1, "/app", "/app/main.js file 4/0@1, /app/x gone 0/0@1"},
		{"base app gone", -1, "/", "/etc dir 3/2@0, /usr dir 1/1@-1, /var dir 3/1@-1, /bin symlink 0/0@0"},
		{"base instead", -1, "/", "/usr dir 5/1@-1, /var dir 3/2@-1, /bin symlink 0/0@0, /etc file 4/0@1"},
		{"base instead base", -1, "/etc", "/etc/group file 1/0@2, /etc/passwd file 4/0@2"},
		{"base twice", -1, "/etc", "/etc/group file 1/0@0, /etc/passwd file 2/0@1"},
		{"base twice", -1, "/var/cache", "/var/cache/new file 1/0@1"},
		{"odd", -1, "/", "/.wh. file 1/0@0, /.wh... file 1/0@0, /a file 0/0@0, /abs file 1/0@0, /b file 1/0@0, /up file 1/0@0"},
		{"odd", 0, "/x/y", "/x/y/* gone 0/0@0"},
		{"order", -1, "/", "/a dir 3/2@-1, /a-b dir 1/1@-1, /s dir 1/1@-1, /a! file 1/0@0"},
		{"order", 0, "/s", "/s/* gone 0/0@0, /s/* file 1/0@0"},
		{"none", -1, "/", ""},
		{"<b>&\"", -1, "/", "/<script>alert(1)< dir 1/1@-1, /new\x01line file 1/0@0, /\xff\xfe file 1/0@0"},
		{"base base", -1, "/missing", "NOT_FOUND"},
		{"base", -1, "/etc/passwd", "NOT_FOUND"},
		{"base", 1, "/", "NOT_FOUND"},
		{"base", -2, "/", "NOT_FOUND"},
	} {
		list, err := f.ListFiles(t.Context(), catalog.ImageRef{}, strings.ReplaceAll(c.image, "<b>&\"", "<b>&\""), "", c.layer, c.dir)
		got := said(list)
		if err != nil {
			got = strings.ToUpper(string(catalog.CodeOf(err)))
		}
		if got != c.want {
			t.Errorf("%s of %s, layer %d:\n got %s\nwant %s", c.dir, c.image, c.layer, got, c.want)
		}
	}
	list, err := f.ListFiles(t.Context(), catalog.ImageRef{}, "base|none", "linux/1", catalog.AllLayers, "/")
	if err != nil || list.Platform != "linux/1" || len(list.Platforms) != 2 || len(list.Files) != 0 || list.Layers != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := f.ListFiles(t.Context(), catalog.ImageRef{}, "base", "linux/9", catalog.AllLayers, "/"); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("of a platform that there is not: %v", err)
	}
}

func TestCompareFiles(t *testing.T) {
	f, opened := newFiles(t, Limits{}, map[string]string{
		"base": "etc/passwd root\nbig 12345678", "app": "a 1\nb 22\nsame x", "new": "a 1\nb 333\nc 4444\nsame x", "top": ".wh.big\netc/passwd ROOT",
	})
	c, err := f.CompareFiles(t.Context(), catalog.ImageRef{}, "base app", "base new top", "")
	var all []string
	for _, change := range c.Changes {
		all = append(all, fmt.Sprintf("%s %+d", change.Name, change.Bytes()))
	}
	if got, want := strings.Join(all, ", "), "/big -8, /c +4, /b +1, /etc/passwd +0"; got != want || err != nil || c.Added != 1 || c.Removed != 1 || c.Changed != 2 || c.Bytes != -3 || c.More {
		t.Errorf("%+v, %v: %s, want %s", c, err, got, want)
	}
	c, err = f.CompareFiles(t.Context(), catalog.ImageRef{}, "base app", "base app", "")
	if err != nil || len(c.Changes) != 0 {
		t.Errorf("of one image: %+v, %v", c, err)
	}
	testkit.Same(t, "how often layers were read", opened.opened, map[string]int{"base": 1, "app": 1, "new": 1, "top": 1})
}

// Layers may be anything: they are read within limits, or refused, and who asks does not wait for long.
func TestHostileLayers(t *testing.T) {
	var many, deep strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&many, "d/%d\n", i)
	}
	for range 300 {
		deep.WriteString("d/")
	}
	zeros := strings.Repeat("0", 8<<20)
	limits := DefaultLimits
	limits.Limits = imagediff.Limits{Unpacked: 4 << 20, Held: 1 << 20}
	limits.Image = 600 << 10
	f, made := newFiles(t, limits, map[string]string{"good": "a 1", "many": many.String(), "more": many.String(), "deep": deep.String() + "x 1", "bomb": "a " + zeros})
	made.layers["text"] = []byte("no layer")
	for image, want := range map[string]string{
		"good": "", "many": "", "many more": "the image has more files than can be listed", "deep": "too many directories deep", "bomb": "unpacks to more than", "text": "is not a tar archive",
	} {
		list, err := f.ListFiles(t.Context(), catalog.ImageRef{}, image, "", catalog.AllLayers, "/")
		if want == "" && err != nil || want != "" && (catalog.CodeOf(err) != catalog.Invalid || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", image, err, want)
		}
		if image == "many" && list.Files[0].Files != 3000 {
			t.Errorf("%+v", list)
		}
	}
	list, err := f.ListFiles(t.Context(), catalog.ImageRef{}, "many", "", catalog.AllLayers, "/d")
	if err != nil || len(list.Files) != shownFiles || !list.More || list.Dir.Files != 3000 {
		t.Errorf("of a long directory: %d files, %v, %v", len(list.Files), list.More, err)
	}
}

func TestSlowLayers(t *testing.T) {
	release := make(chan struct{})
	limits := DefaultLimits
	limits.Patience, limits.Waiting = time.Millisecond, 1
	f, made := newFiles(t, limits, map[string]string{"slow": "a 1"})
	made.open = func(layer string) io.Reader {
		return io.MultiReader(readerFunc(func([]byte) (int, error) { <-release; return 0, io.EOF }), bytes.NewReader(made.layers["slow"]))
	}
	ask := func(image string) error {
		_, err := f.ListFiles(t.Context(), catalog.ImageRef{}, image, "", catalog.AllLayers, "/")
		return err
	}
	for _, image := range []string{"slow", "slow", "other"} {
		if err := ask(image); catalog.CodeOf(err) != catalog.Unavailable {
			t.Errorf("%s while a layer is read: %v", image, err)
		}
	}
	close(release)
	testkit.Eventually(t, "the layer is read", func() bool { return ask("slow") == nil })
}

type readerFunc func([]byte) (int, error)

func (r readerFunc) Read(b []byte) (int, error) { return r(b) }

// A decoder that panics is a layer that can't be read.
func TestPanic(t *testing.T) {
	f, made := newFiles(t, Limits{}, nil)
	made.open = func(string) io.Reader { return readerFunc(func([]byte) (int, error) { panic("broken") }) }
	if _, err := f.ListFiles(t.Context(), catalog.ImageRef{}, "a", "", catalog.AllLayers, "/"); catalog.CodeOf(err) != catalog.Invalid {
		t.Errorf("got %v", err)
	}
}

func TestCache(t *testing.T) {
	c := newCache(10_000)
	for i := range 6 {
		c.put(fmt.Sprint(i), i, 1000)
		c.get("0")
	}
	c.put("large", 0, 10_001)
	for name, want := range map[string]bool{"0": true, "1": false, "2": true, "5": true, "large": false} {
		if _, ok := c.get(name); ok != want {
			t.Errorf("%s is kept: %v", name, ok)
		}
	}
}
