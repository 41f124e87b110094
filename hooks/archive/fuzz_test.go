package archive

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"path"
	"strings"
	"testing"
	"unicode/utf8"

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
	for name := range tree {
		name = strings.TrimSuffix(name, "/") // of a directory
		if !fs.ValidPath(strings.ToValidUTF8(name, "?")) || strings.Contains(name, "\x00") {
			t.Errorf("%q is let through", name)
		}
		for part := range strings.SplitSeq(name, "/") {
			if catalog.IsDotGit(part) {
				t.Errorf("%q is let through", name)
			}
		}
		for above := path.Dir(name); above != "."; above = path.Dir(above) {
			if _, isFile := tree[above]; isFile {
				t.Errorf("%q is let through below a file", name)
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
		_, err := Unpack(t.Context(), bytes.NewReader(archive), tree, limits, spool)
		checkUnpacked(t, tree, err)
	})
}

// FuzzEntryName holds that a name becomes a path in the project or none, the same again when it is cleaned again,
// and that a zip's names are in UTF-8 where they can be.
func FuzzEntryName(f *testing.F) {
	for _, name := range []string{"a/b", "./a//b/", "../a", "/a", `a\b`, "\x80\x81", ".git/x", "GIT~1", "a\x00b", ".g\u200cit"} {
		f.Add(name, uint16(0), true)
		f.Add(name, uint16(3<<8), false)
	}
	f.Fuzz(func(t *testing.T, name string, creator uint16, notUTF8 bool) {
		u := newUnpacker(memoryTree{}, testLimits(), &sentBytes{})
		decoded := zipName(&zip.File{FileHeader: zip.FileHeader{Name: name, CreatorVersion: creator, NonUTF8: notUTF8}})
		if notUTF8 && !utf8.ValidString(decoded) {
			t.Errorf("%q became %q", name, decoded)
		}
		if !notUTF8 && strings.ReplaceAll(decoded, "/", `\`) != strings.ReplaceAll(name, "/", `\`) {
			t.Errorf("%q became %q", name, decoded)
		}
		clean, err := u.cleanPath(decoded)
		if err != nil {
			return
		}
		if again, err := u.cleanPath(clean); err != nil || again != clean {
			t.Errorf("%q became %q, and that %q, %v", decoded, clean, again, err)
		}
		if len(clean) > len(decoded) || clean != "" && !fs.ValidPath(strings.ToValidUTF8(clean, "?")) {
			t.Errorf("%q became %q", decoded, clean)
		}
	})
}
