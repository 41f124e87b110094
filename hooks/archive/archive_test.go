package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"

	"github.com/fandoghpaas/fandogh/catalog"
)

// memoryTree is a catalog.TreeWriter that remembers "mode content" by path.
type memoryTree map[string]string

func (m memoryTree) File(path string, executable bool, size int64, content io.Reader) error {
	data, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	if int64(len(data)) != size {
		return catalog.Errorf(catalog.Invalid, "%q has another size", path)
	}
	mode := "-"
	if executable {
		mode = "x"
	}
	return m.put(path, mode+" "+string(data))
}

func (m memoryTree) Symlink(path, target string) error { return m.put(path, "l "+target) }
func (m memoryTree) Copy(path, from string) error      { return m.put(path, m[from]) }
func (m memoryTree) Dir(path string) error             { return m.put(path+"/", "directory") }
func (m memoryTree) Close() error                      { return nil }
func (m memoryTree) Bytes() int64                      { return 0 }

func (m memoryTree) Commit(context.Context, catalog.NewCommit) (string, error) {
	return "", errors.ErrUnsupported
}

func (m memoryTree) put(path, content string) error {
	if !fs.ValidPath(strings.TrimSuffix(strings.ToValidUTF8(path, "?"), "/")) {
		return fmt.Errorf("%q is invalid", path)
	}
	m[path] = content
	return nil
}

func testLimits() Limits {
	return Limits{Bytes: 1 << 20, Unpacked: 64 << 20, Entries: 50, Ratio: 100, PathBytes: 300, Depth: 10}
}

func unpackBytes(t testing.TB, archive []byte) (memoryTree, error) {
	return unpackFrom(t, bytes.NewReader(archive), testLimits())
}

func unpackFrom(t testing.TB, source io.Reader, limits Limits) (memoryTree, error) {
	t.Helper()
	spool := t.TempDir()
	tree := memoryTree{}
	_, err := Unpack(t.Context(), source, tree, limits, spool)
	if left, readErr := os.ReadDir(spool); readErr != nil || len(left) != 0 {
		t.Errorf("left in the spool: %v %v", left, readErr)
	}
	if err != nil && catalog.CodeOf(err) == catalog.Internal {
		t.Errorf("an archive's fault is taken for ours: %v", err)
	}
	return tree, err
}

func file(name, content string) *tar.Header {
	return &tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg, Linkname: content}
}

// tarOf writes a tar; a regular file's Linkname is its content.
func tarOf(t testing.TB, headers ...*tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		own := *h
		content := ""
		if h.Typeflag == tar.TypeReg {
			content, own.Linkname = h.Linkname, ""
		}
		if err := w.WriteHeader(&own); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// zipOf writes a zip of the same headers, on Unix unless the mode is 0.
func zipOf(t testing.TB, headers ...*tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, h := range headers {
		zh := &zip.FileHeader{Name: h.Name, Method: zip.Deflate}
		mode := fs.FileMode(h.Mode)
		switch h.Typeflag {
		case tar.TypeDir:
			zh.Name, mode = strings.TrimSuffix(h.Name, "/")+"/", mode|fs.ModeDir
		case tar.TypeSymlink:
			mode |= fs.ModeSymlink
		case tar.TypeFifo:
			mode |= fs.ModeNamedPipe
		case tar.TypeChar:
			mode |= fs.ModeDevice | fs.ModeCharDevice
		case tar.TypeBlock:
			mode |= fs.ModeDevice
		}
		if mode != 0 {
			zh.SetMode(mode)
		}
		content, err := w.CreateHeader(zh)
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		if _, err := io.WriteString(content, h.Linkname); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipOf(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstdOf(t testing.TB, data []byte, options ...zstd.EOption) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, options...)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(data, nil)
}

func project() []*tar.Header {
	script := file("bin/run.sh", "#!/bin/sh\n")
	script.Mode = 0o755
	return []*tar.Header{
		{Name: "./", Mode: 0o755, Typeflag: tar.TypeDir},
		file("./Dockerfile", "FROM scratch\n"),
		{Name: "bin/", Mode: 0o755, Typeflag: tar.TypeDir},
		script,
		{Name: "bin", Mode: 0o755, Typeflag: tar.TypeDir},
		file("سلام/ünïcode.txt", "text"),
		file("empty", ""),
		{Name: "bin/link", Mode: 0o777, Typeflag: tar.TypeSymlink, Linkname: "../سلام/./x"},
		{Name: "void/", Mode: 0o755, Typeflag: tar.TypeDir},
	}
}

var projectFiles = memoryTree{
	"Dockerfile": "- FROM scratch\n", "bin/run.sh": "x #!/bin/sh\n", "سلام/ünïcode.txt": "- text", "empty": "- ", "bin/link": "l ../سلام/./x",
	"bin/": "directory", "void/": "directory",
}

func TestUnpackEveryFormat(t *testing.T) {
	plain := tarOf(t, project()...)
	archives := map[string][]byte{
		"zip": zipOf(t, project()...), "tar": plain, "tar.gz": gzipOf(t, plain), "tar.zst": zstdOf(t, plain),
	}
	for name, archive := range archives {
		got, err := unpackBytes(t, archive)
		if err != nil || !maps.Equal(got, projectFiles) {
			t.Errorf("%s: got %v %v", name, got, err)
		}
		// However the bytes arrive.
		if got, err = unpackFrom(t, iotest.OneByteReader(bytes.NewReader(archive)), testLimits()); err != nil || !maps.Equal(got, projectFiles) {
			t.Errorf("%s, byte by byte: got %v %v", name, got, err)
		}
	}
}

// Wherever an upload ends too early, it is refused, and as what it is.
// A file is executable when git would say so, and what else its mode says is told to be lost.
func TestUnpackModes(t *testing.T) {
	work := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = work
		cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	git("init", "-q")
	for mode, lost := range map[int64]bool{
		0o644: false, 0o755: false, 0o664: false, 0o775: false, // a umask of 002
		0o600: true, 0o640: true, 0o700: true, 0o444: true, 0o666: true, 0o777: true, 0o655: true, 0o711: true,
		0o4755: true, 0o2755: true, 0o1755: true, 0o4644: true,
	} {
		f := file("f", "content")
		f.Mode = mode
		path := filepath.Join(work, "f")
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, fs.FileMode(mode&0o777))); err != nil {
			t.Fatal(err)
		}
		git("add", "f")
		want := "- content"
		if strings.HasPrefix(git("ls-files", "-s"), "100755") {
			want = "x content"
		}
		for format, archive := range map[string][]byte{"tar": tarOf(t, f), "zip": zipOf(t, f)} {
			if format == "zip" && mode > 0o777 { // the test's zips have no such modes
				continue
			}
			tree := memoryTree{}
			note, err := Unpack(t.Context(), bytes.NewReader(archive), tree, testLimits(), t.TempDir())
			if err != nil || tree["f"] != want {
				t.Errorf("%s %o: %q, want %q, %v", format, mode, tree["f"], want, err)
			}
			if said := fmt.Sprintf("\"f\" had %03o", mode); lost != strings.Contains(note, said) || !lost && note != "" {
				t.Errorf("%s %o: said %q", format, mode, note)
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	private, again := file("a/key", "k"), file("b", "b")
	private.Mode, again.Mode = 0o600, 0o400
	note, err := Unpack(t.Context(), bytes.NewReader(tarOf(t, &tar.Header{Name: "tmp/", Mode: 0o1777, Typeflag: tar.TypeDir}, again, private, file("b", "b"))), memoryTree{}, testLimits(), t.TempDir())
	if want := "2 file modes are not kept (\"a/key\" had 600): git supports only 644 and 755 for files, and 755 for directories. Set other modes with RUN chmod or COPY --chmod"; err != nil || note != want {
		t.Errorf("said %q, %v", note, err)
	}
	// A zip that has no modes has none to lose.
	f := file("f", "")
	f.Mode = 0
	if note, err := Unpack(t.Context(), bytes.NewReader(zipOf(t, f)), memoryTree{}, testLimits(), t.TempDir()); err != nil || note != "" {
		t.Errorf("said %q, %v", note, err)
	}
}

func TestUnpackCutOff(t *testing.T) {
	plain := tarOf(t, project()...)
	for name, archive := range map[string][]byte{
		"zip": zipOf(t, project()...), "tar": plain, "tar.gz": gzipOf(t, plain), "tar.zst": zstdOf(t, plain),
	} {
		for n := range archive {
			if name == "tar" && n > len(plain)-2*tarBlock {
				break // the files and a block of zeros are there
			}
			if _, err := unpackBytes(t, archive[:n]); catalog.CodeOf(err) != catalog.Invalid {
				t.Fatalf("%s of %d bytes cut at %d: got %v", name, len(archive), n, err)
			}
		}
		lost := io.MultiReader(bytes.NewReader(archive[:len(archive)/2]), iotest.ErrReader(io.ErrUnexpectedEOF))
		if _, err := unpackFrom(t, lost, testLimits()); catalog.CodeOf(err) != catalog.Invalid || !strings.Contains(catalog.MessageOf(err), "upload is incomplete") {
			t.Errorf("%s with a lost connection: got %v", name, err)
		}
	}
}

func TestUnpackHardLinks(t *testing.T) {
	link := func(name, target string) *tar.Header {
		return &tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: target}
	}
	got, err := unpackBytes(t, tarOf(t, file("a/b", "text"), link("c", "./a/b"), link("d", "c")))
	if want := (memoryTree{"a/b": "- text", "c": "- text", "d": "- text"}); err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v %v", got, err)
	}
	for _, headers := range [][]*tar.Header{
		{link("c", "a"), file("a", "later")},
		{file("a", ""), link("c", "../a")},
		{file("a", ""), link("c", "/etc/passwd")},
		{file("a/b", ""), link("c", "a")},
		{link("c", "c")},
		{{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "x"}, link("c", "l")},
	} {
		if _, err := unpackBytes(t, tarOf(t, headers...)); catalog.CodeOf(err) != catalog.Invalid || !strings.Contains(err.Error(), `"c"`) || !strings.Contains(err.Error(), "hard link") {
			t.Errorf("%v: got %v", headers, err)
		}
	}
}

// badEntries are refused by name, in a zip as in a tar.
var badEntries = map[string]struct {
	headers []*tar.Header
	name    string // that the error quotes
	says    string
}{
	"absolute":            {[]*tar.Header{file("/etc/passwd", "")}, "/etc/passwd", "absolute"},
	"parent":              {[]*tar.Header{file("../evil", "")}, "../evil", ".."},
	"parent inside":       {[]*tar.Header{file("a/../b", "")}, "a/../b", ".."},
	"git directory":       {[]*tar.Header{{Name: ".git/", Mode: 0o755, Typeflag: tar.TypeDir}}, ".git/", "git reserves"},
	"git file":            {[]*tar.Header{file("sub/.GIT/config", "")}, "sub/.GIT/config", "git reserves"},
	"git short name":      {[]*tar.Header{file("git~1", "")}, "git~1", "git reserves"},
	"git with dots":       {[]*tar.Header{file(".git. ./x", "")}, ".git. ./x", "git reserves"},
	"file over directory": {[]*tar.Header{file("a/b", ""), file("a", "")}, "a", "twice"},
	"directory over file": {[]*tar.Header{file("a", ""), {Name: "a/", Mode: 0o755, Typeflag: tar.TypeDir}}, "a/", "twice"},
	"below a file":        {[]*tar.Header{file("a", ""), file("a/b", "")}, "a/b", "not a directory"},
	"below a link":        {[]*tar.Header{{Name: "a", Mode: 0o777, Typeflag: tar.TypeSymlink, Linkname: "b"}, file("a/b", "")}, "a/b", "not a directory"},
	"link to nowhere":     {[]*tar.Header{{Name: "l", Mode: 0o777, Typeflag: tar.TypeSymlink}}, "l", "empty path"},
	"character device":    {[]*tar.Header{{Name: "null", Mode: 0o666, Typeflag: tar.TypeChar}}, "null", "device"},
	"block device":        {[]*tar.Header{{Name: "sda", Mode: 0o666, Typeflag: tar.TypeBlock}}, "sda", "device"},
	"pipe":                {[]*tar.Header{{Name: "fifo", Mode: 0o666, Typeflag: tar.TypeFifo}}, "fifo", "pipe"},
	"root as a file":      {[]*tar.Header{file(".", "x")}, ".", "root"},
	"no files":            {[]*tar.Header{{Name: "a/", Mode: 0o755, Typeflag: tar.TypeDir}}, "", "no files"},
	"nothing":             {nil, "", "no files"},
}

func TestUnpackRefusesByName(t *testing.T) {
	for what, c := range badEntries {
		for format, archive := range map[string][]byte{"tar": tarOf(t, c.headers...), "zip": zipOf(t, c.headers...)} {
			_, err := unpackBytes(t, archive)
			var e *catalog.Error
			if !errors.As(err, &e) || e.Code != catalog.Invalid || e.Field != "source" {
				t.Errorf("%s in a %s: got %v", what, format, err)
				continue
			}
			if c.name != "" && !strings.Contains(e.Message, `entry "`+c.name+`" is not allowed`) || !strings.Contains(e.Message, c.says) {
				t.Errorf("%s in a %s: the message is %q", what, format, e.Message)
			}
		}
	}
}

// What git takes, an upload takes, as it is.
func TestUnpackTakesWhatGitTakes(t *testing.T) {
	link := func(name, target string) *tar.Header {
		return &tar.Header{Name: name, Mode: 0o777, Typeflag: tar.TypeSymlink, Linkname: target}
	}
	headers := []*tar.Header{
		file(`a\b`, "1"), file("C:/x", "2"), file("a\nb", "3"), file("readme", "4"), file("README", "5"), file("src/a", "6"), file("Src/b", "7"),
		file("\u00e9", "8"), file("e\u0301", "9"), link("absolute", "/etc/passwd"), link("d/out", "../../../x"), link("d/down", "s/../../x"), link("back", `..\x`),
		file("twice", "first"), file("./twice", "second"), {Name: "logs/empty/", Mode: 0o755, Typeflag: tar.TypeDir},
	}
	want := memoryTree{
		`a\b`: "- 1", "C:/x": "- 2", "a\nb": "- 3", "readme": "- 4", "README": "- 5", "src/a": "- 6", "Src/b": "- 7", "\u00e9": "- 8", "e\u0301": "- 9",
		"absolute": "l /etc/passwd", "d/out": "l ../../../x", "d/down": "l s/../../x", "back": `l ..\x`, "twice": "- second", "logs/empty/": "directory",
	}
	for format, archive := range map[string][]byte{"tar": tarOf(t, headers...), "zip": zipOf(t, headers...)} {
		if got, err := unpackBytes(t, archive); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: got %q, %v", format, got, err)
		}
	}
	var padded bytes.Buffer
	z := gzip.NewWriter(&padded)
	_, _ = z.Write(tarOf(t, file("a", "1")))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	padded.Write(make([]byte, 5000))
	if got, err := unpackBytes(t, padded.Bytes()); err != nil || got["a"] != "- 1" {
		t.Errorf("padded by zeros: got %q, %v", got, err)
	}
}

// A zip of DOS and Windows has neither modes nor, often, UTF-8.
func TestZipOfWindows(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range map[string]string{`dir\run`: "#!/bin/sh\n", "program": "\x7fELF…", "text": "text", "caf\x82": "in code page 437", "سلام": "in UTF-8"} {
		w, err := z.CreateRaw(&zip.FileHeader{Name: name, Method: zip.Store, CRC32: crc32.ChecksumIEEE([]byte(content)),
			CompressedSize64: uint64(len(content)), UncompressedSize64: uint64(len(content)), NonUTF8: true})
		if err == nil {
			_, err = io.WriteString(w, content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	want := memoryTree{"dir/run": "x #!/bin/sh\n", "program": "x \x7fELF…", "text": "- text", "café": "- in code page 437", "سلام": "- in UTF-8"}
	if got, err := unpackBytes(t, b.Bytes()); err != nil || !maps.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestUnpackRefusesZips(t *testing.T) {
	sound := zipOf(t, file("Dockerfile", strings.Repeat("FROM scratch\n", 20)))
	// patch changes bytes at an offset of the local header and of the directory's.
	patch := func(local, central int, value byte) []byte {
		z := slices.Clone(sound)
		z[local] |= value
		z[bytes.Index(z, []byte("PK\x01\x02"))+central] |= value
		return z
	}
	damagedData := slices.Clone(sound)
	damagedData[45] ^= 0xff
	lying := slices.Clone(sound)
	at := bytes.Index(lying, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(lying[at+24:], 10) // uncompressed size
	for what, c := range map[string]struct {
		archive []byte
		says    string
	}{
		"encrypted":    {patch(6, 8, zipEncrypted), `"Dockerfile" is not allowed: it is encrypted`},
		"other method": {patch(8, 10, 12), `"Dockerfile" is not allowed: it is compressed with method 12`},
		"damaged":      {damagedData, `damaged at "Dockerfile"`},
		"lying size":   {lying, "Dockerfile"},
		"split":        {append([]byte("PK\x07\x08"), sound...), "split zip"},
	} {
		if _, err := unpackBytes(t, c.archive); catalog.CodeOf(err) != catalog.Invalid || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

func TestUnpackRefusesFormats(t *testing.T) {
	plain := tarOf(t, project()...)
	wide := zstdOf(t, append(bytes.Repeat([]byte{1}, 20<<20), plain...), zstd.WithWindowSize(32<<20))
	for what, c := range map[string]struct {
		archive []byte
		says    string
	}{
		"nothing": {nil, "is empty"}, "text": {[]byte("FROM scratch\n"), "not an archive"}, "zeros": {make([]byte, 100), "not an archive"},
		"7z": {[]byte("7z\xbc\xaf\x27\x1c______"), "a 7z archive"}, "xz": {[]byte("\xfd7zXZ\x00__"), "a xz archive"}, "rar": {[]byte("Rar!\x1a\x07\x00"), "a rar archive"},
		"gzip of text": {gzipOf(t, []byte("FROM scratch\n")), "truncated"}, "gzip of a zip": {gzipOf(t, zipOf(t, project()...)), ""},
		"gzip with a tail": {append(gzipOf(t, plain), "a longer tail"...), "damaged"},
		"two tars":         {append(slices.Clone(plain), plain...), "after its end"},
		"no end":           {plain[:len(plain)-2*tarBlock], "truncated"},
		"bad header":       {append(slices.Clone(plain[:3*tarBlock]), bytes.Repeat([]byte("x"), 2*tarBlock)...), "damaged"},
		"wide window":      {wide, "without --long"},
	} {
		if _, err := unpackBytes(t, c.archive); catalog.CodeOf(err) != catalog.Invalid || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

func TestUnpackLimits(t *testing.T) {
	many := make([]*tar.Header, 51)
	for i := range many {
		many[i] = file(fmt.Sprint("f", i), "")
	}
	zeros := strings.Repeat("\x00", 60<<20)
	deep := strings.Repeat("d/", 11) + "f"
	holes := tarOf(t, file("f", "text"))
	for what, c := range map[string]struct {
		headers []*tar.Header
		change  func(*Limits)
		says    string
	}{
		"entries":             {many, nil, "more than 50"},
		"implied directories": {[]*tar.Header{file("a/b/c/d", "")}, func(l *Limits) { l.Entries = 3 }, "more than 3"},
		"unpacked":            {[]*tar.Header{file("a", "12345"), file("b", "678901")}, func(l *Limits) { l.Unpacked = 10 }, "unpacks to more than 10 bytes"},
		"ratio":               {[]*tar.Header{file("zeros", zeros)}, nil, "100 times"},
		"path":                {[]*tar.Header{file(strings.Repeat("dir/", 75)+"f", "")}, nil, "longer than 300 bytes"},
		"part of a path":      {[]*tar.Header{file(strings.Repeat("x", 256), "")}, nil, "longer than 255 bytes"},
		"depth":               {[]*tar.Header{file(deep, "")}, nil, "deeper than 10"},
	} {
		limits := testLimits()
		if c.change != nil {
			c.change(&limits)
		}
		plain := tarOf(t, c.headers...)
		for format, archive := range map[string][]byte{"tar.gz": gzipOf(t, plain), "tar.zst": zstdOf(t, plain), "zip": zipOf(t, c.headers...)} {
			if _, err := unpackFrom(t, bytes.NewReader(archive), limits); catalog.CodeOf(err) != catalog.TooLarge || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s in a %s: got %v", what, format, err)
			}
		}
	}
	limits := testLimits()
	limits.Bytes = int64(len(holes)) - 1
	if _, err := unpackFrom(t, bytes.NewReader(holes), limits); catalog.CodeOf(err) != catalog.TooLarge || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("one byte over the limit: got %v", err)
	}
	limits.Bytes++
	if _, err := unpackFrom(t, bytes.NewReader(holes), limits); err != nil {
		t.Errorf("at the limit: got %v", err)
	}
}

// Hard links count as often as they are unpacked.
func TestUnpackCountsHardLinks(t *testing.T) {
	headers := []*tar.Header{file("f", strings.Repeat("x", 1<<20))}
	for i := range 40 {
		headers = append(headers, &tar.Header{Name: fmt.Sprint("l", i), Typeflag: tar.TypeLink, Linkname: "f"})
	}
	limits := testLimits()
	limits.Unpacked, limits.Bytes = 20<<20, 2<<20
	if _, err := unpackFrom(t, bytes.NewReader(tarOf(t, headers...)), limits); catalog.CodeOf(err) != catalog.TooLarge {
		t.Errorf("got %v", err)
	}
}

// A zip whose directory lies about its length must not fill the memory.
func TestUnpackBoundsZipDirectory(t *testing.T) {
	var b bytes.Buffer
	body := []byte("PK\x03\x04")
	b.Write(body)
	start := b.Len()
	for range 40_000 {
		record := make([]byte, 47)
		copy(record, "PK\x01\x02")
		record[28], record[46] = 1, 'x'
		b.Write(record)
	}
	end := make([]byte, 22)
	copy(end, "PK\x05\x06")
	binary.LittleEndian.PutUint16(end[8:], 40_000)
	binary.LittleEndian.PutUint16(end[10:], 40_000)
	binary.LittleEndian.PutUint32(end[12:], uint32(b.Len()-start))
	binary.LittleEndian.PutUint32(end[16:], uint32(start))
	b.Write(end)
	limits := testLimits()
	limits.Bytes = 16 << 20
	if _, err := unpackFrom(t, bytes.NewReader(b.Bytes()), limits); catalog.CodeOf(err) != catalog.TooLarge {
		t.Errorf("got %v", err)
	}
}
