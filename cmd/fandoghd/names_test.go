package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rogpeppe/go-internal/testscript"
)

// oddNames are names that git and Linux take, and that something between them and
// an image might not.
var oddNames = []string{
	" ", " lead", "trail ", "two  blanks", "[x]", "[!a-z]", "!", "!not", "*", "?", "a*b?c", `back\slash`, `\`, "^", "{a,b}", "$VAR", "${VAR}", `"`, "'", "`id`", "#", "-rf", "~", ",", ";", "|", "%2F", "a:b", "con",
	"\x01\x02\x1f\x7f", "new\nline", "tab\there", "cr\r", "\x1b[31m", "\u202egnp", "\u00a0", "\ufeffmark", "\u2028",
	"caf\xe9", "\xe9", "\x80\x81", "\xff\xfe", "\xc3", "\x93\xfa\x96\x7b", "utf16\xd8", "\xed\xa0\x80", "\xc0\xaf",
	"caf\u00e9", "cafe\u0301", "\u65e5\u672c", "\U0001f980", "README", "readme", "Readme",
	"...", "..a", ".x", "x.", strings.Repeat("n", 255), strings.Repeat("\xe9", 255), strings.Repeat("\u00e9", 127),
}

// odd-names DIR [N]: fills DIR with files, directories and links of odd names, and N
// more in a directory of its own.
func cmdOddNames(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: odd-names DIR [N]")
	}
	dir := ts.MkAbs(args[0])
	for i, name := range oddNames {
		for _, sub := range []string{"files", filepath.Join("dirs", name)} {
			ts.Check(os.MkdirAll(filepath.Join(dir, sub), 0o755))
			ts.Check(os.WriteFile(filepath.Join(dir, sub, name), fmt.Appendf(nil, "%d %q", i, name), 0o644))
		}
		ts.Check(os.MkdirAll(filepath.Join(dir, "links"), 0o755))
		ts.Check(os.Symlink(name, filepath.Join(dir, "links", name)))
	}
	if len(args) == 2 {
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		ts.Check(os.MkdirAll(filepath.Join(dir, "many\xe9"), 0o755))
		for i := range n {
			ts.Check(os.WriteFile(filepath.Join(dir, "many\xe9", fmt.Sprintf("%s%d", oddNames[i%len(oddNames)][:1], i)), fmt.Append(nil, i), 0o644))
		}
	}
}

// same-files IMAGE PATH DIR: what the image has below PATH is what DIR has, byte for byte.
func cmdSameFiles(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: same-files IMAGE PATH DIR")
	}
	// Not by crane export, which drops links that another system might take for others.
	ref, err := name.ParseReference(args[0])
	ts.Check(err)
	image, err := remote.Image(ref, remote.WithAuth(&authn.Basic{Username: ts.Getenv("USER"), Password: ts.Getenv("TOKEN")}))
	ts.Check(err)
	layers, err := image.Layers()
	ts.Check(err)
	got := map[string]string{}
	for _, layer := range layers {
		archive, err := layer.Uncompressed()
		ts.Check(err)
		addFiles(ts, archive, strings.Trim(args[1], "/")+"/", got)
		ts.Check(archive.Close())
	}
	want := filesOf(ts, ts.MkAbs(args[2]))
	for _, file := range slices.Sorted(maps.Keys(want)) {
		if content, ok := got[file]; !ok || content != want[file] {
			ts.Fatalf("%q is %q in the image (there: %t), want %q", file, content, ok, want[file])
		}
		delete(got, file)
	}
	if len(got) > 0 {
		ts.Fatalf("the image has %q too", slices.Sorted(maps.Keys(got)))
	}
}

// addFiles adds what a layer has below a directory, links with their targets.
func addFiles(ts *testscript.TestScript, archive io.Reader, dir string, files map[string]string) {
	for r := tar.NewReader(archive); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		ts.Check(err)
		content, err := io.ReadAll(r)
		ts.Check(err)
		if rest, ok := strings.CutPrefix(header.Name, dir); ok && rest != "" {
			files[rest] = header.Linkname + string(content)
		}
	}
}

func filesOf(ts *testscript.TestScript, dir string) map[string]string {
	files := map[string]string{}
	ts.Check(filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			files[rel+"/"] = ""
			return nil
		}
		if entry.Type()&fs.ModeSymlink != 0 {
			files[rel], err = os.Readlink(path)
			return err
		}
		content, err := os.ReadFile(path)
		files[rel] = string(content)
		return err
	}))
	return files
}
