package hooks

import (
	"bytes"
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

// checkUnpacked says what must hold of whatever was let through.
func checkUnpacked(t *testing.T, tree memoryTree, err error) {
	t.Helper()
	if err != nil {
		if code := catalog.CodeOf(err); code != catalog.Invalid && code != catalog.TooLarge {
			t.Errorf("an error of code %s: %v", code, err)
		}
		return
	}
	if len(tree) == 0 {
		t.Error("an empty archive is let through")
	}
	folded := map[string]string{}
	for name, content := range tree {
		if !fs.ValidPath(name) || strings.Contains(name, `\`) {
			t.Errorf("%q is let through", name)
		}
		for part := range strings.SplitSeq(name, "/") {
			if catalog.IsDotGit(part) {
				t.Errorf("%q is let through", name)
			}
		}
		if other, clash := folded[strings.ToLower(name)]; clash {
			t.Errorf("%q and %q are let through together", name, other)
		}
		folded[strings.ToLower(name)] = name
		for above := path.Dir(name); above != "."; above = path.Dir(above) {
			if _, isFile := tree[above]; isFile {
				t.Errorf("%q is let through below a file", name)
			}
		}
		if target, isLink := strings.CutPrefix(content, "l "); isLink {
			if p := path.Join(path.Dir(name), target); path.IsAbs(target) || p == ".." || strings.HasPrefix(p, "../") {
				t.Errorf("link %q to %q is let through", name, target)
			}
		}
	}
}

func FuzzTar(f *testing.F) {
	f.Add(tarOf(f, project()...))
	for _, c := range badEntries {
		f.Add(tarOf(f, c.headers...))
	}
	f.Fuzz(func(t *testing.T, archive []byte) {
		limits := testLimits()
		limits.Unpacked = 1 << 20
		u := newUnpacker(memoryTree{}, limits, &sentBytes{n: int64(len(archive))})
		if err := u.tar(t.Context(), bytes.NewReader(archive)); err != nil || u.files > 0 {
			checkUnpacked(t, u.to.(memoryTree), err)
		}
	})
}

func FuzzZip(f *testing.F) {
	f.Add(zipOf(f, project()...))
	for _, c := range badEntries {
		f.Add(zipOf(f, c.headers...))
	}
	spool := f.TempDir()
	f.Fuzz(func(t *testing.T, archive []byte) {
		limits := testLimits()
		limits.Unpacked = 1 << 20
		u := newUnpacker(memoryTree{}, limits, &sentBytes{n: int64(len(archive))})
		if err := u.zip(t.Context(), bytes.NewReader(archive), spool); err != nil || u.files > 0 {
			checkUnpacked(t, u.to.(memoryTree), err)
		}
	})
}

// FuzzUpload gives anything at all, in particular to the telling of formats.
func FuzzUpload(f *testing.F) {
	plain := tarOf(f, project()...)
	for _, archive := range [][]byte{plain, zipOf(f, project()...), gzipOf(f, plain), zstdOf(f, plain), nil, []byte("7z\xbc\xaf\x27\x1c"), make([]byte, 1024)} {
		f.Add(archive)
	}
	spool := f.TempDir()
	f.Fuzz(func(t *testing.T, archive []byte) {
		limits := testLimits()
		limits.Unpacked = 1 << 20
		tree := memoryTree{}
		checkUnpacked(t, tree, unpack(t.Context(), bytes.NewReader(archive), tree, limits, spool))
	})
}
