package hooks

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
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
func (m memoryTree) Close() error                      { return nil }

func (m memoryTree) Commit(context.Context, catalog.NewCommit) (string, error) {
	return "", errors.ErrUnsupported
}

func (m memoryTree) put(path, content string) error {
	if _, twice := m[path]; twice || !fs.ValidPath(path) {
		return fmt.Errorf("%q is put twice or invalid", path)
	}
	m[path] = content
	return nil
}

func testLimits() UploadLimits {
	return UploadLimits{Bytes: 1 << 20, Unpacked: 64 << 20, Entries: 50, Ratio: 100, PathBytes: 300, Depth: 10}
}

func unpackBytes(t testing.TB, archive []byte) (memoryTree, error) {
	return unpackFrom(t, bytes.NewReader(archive), testLimits())
}

func unpackFrom(t testing.TB, source io.Reader, limits UploadLimits) (memoryTree, error) {
	t.Helper()
	spool := t.TempDir()
	tree := memoryTree{}
	err := unpack(t.Context(), source, tree, limits, spool)
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
		if _, err := unpackFrom(t, lost, testLimits()); catalog.CodeOf(err) != catalog.Invalid || !strings.Contains(catalog.MessageOf(err), "upload was cut off") {
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
	"backslash":           {[]*tar.Header{file(`a\b`, "")}, `a\\b`, "separate directories"},
	"drive":               {[]*tar.Header{file("C:/x", "")}, "C:/x", "drive"},
	"control character":   {[]*tar.Header{file("a\nb", "")}, `a\nb`, "control character"},
	"git directory":       {[]*tar.Header{{Name: ".git/", Mode: 0o755, Typeflag: tar.TypeDir}}, ".git/", "git keeps"},
	"git file":            {[]*tar.Header{file("sub/.GIT/config", "")}, "sub/.GIT/config", "git keeps"},
	"git short name":      {[]*tar.Header{file("git~1", "")}, "git~1", "git keeps"},
	"git with dots":       {[]*tar.Header{file(".git. ./x", "")}, ".git. ./x", "git keeps"},
	"duplicate":           {[]*tar.Header{file("a", "1"), file("./a", "2")}, "./a", "twice"},
	"file over directory": {[]*tar.Header{file("a/b", ""), file("a", "")}, "a", "twice"},
	"directory over file": {[]*tar.Header{file("a", ""), {Name: "a/", Mode: 0o755, Typeflag: tar.TypeDir}}, "a/", "twice"},
	"below a file":        {[]*tar.Header{file("a", ""), file("a/b", "")}, "a/b", "no directory"},
	"below a link":        {[]*tar.Header{{Name: "a", Mode: 0o777, Typeflag: tar.TypeSymlink, Linkname: "b"}, file("a/b", "")}, "a/b", "no directory"},
	"case clash":          {[]*tar.Header{file("readme", ""), file("README", "")}, "README", "only in case"},
	"directory clash":     {[]*tar.Header{file("src/a", ""), file("Src/b", "")}, "Src/b", "only in case"},
	"folding clash":       {[]*tar.Header{file("straße", ""), file("STRASSE", "")}, "STRASSE", "only in case"},
	"normal form clash":   {[]*tar.Header{file("\u00e9", ""), file("e\u0301", "")}, "e\u0301", "only in case"},
	"absolute link":       {[]*tar.Header{{Name: "l", Mode: 0o777, Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}}, "l", "leaves the project"},
	"link out":            {[]*tar.Header{{Name: "a/l", Mode: 0o777, Typeflag: tar.TypeSymlink, Linkname: "../../x"}}, "a/l", "leaves the project"},
	"link down and up":    {[]*tar.Header{{Name: "a/l", Mode: 0o777, Typeflag: tar.TypeSymlink, Linkname: "s/../../x"}}, "a/l", "down and up"},
	"link backslash":      {[]*tar.Header{{Name: "l", Mode: 0o777, Typeflag: tar.TypeSymlink, Linkname: `..\x`}}, "l", "separated"},
	"link to nowhere":     {[]*tar.Header{{Name: "l", Mode: 0o777, Typeflag: tar.TypeSymlink}}, "l", "nowhere"},
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
			if c.name != "" && !strings.Contains(e.Message, `entry "`+c.name+`" is refused`) || !strings.Contains(e.Message, c.says) {
				t.Errorf("%s in a %s: the message is %q", what, format, e.Message)
			}
		}
	}
	// A tar writer does not make this.
	archive := zipOf(t, file("a\xff", ""))
	if _, err := unpackBytes(t, archive); err == nil || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("a name that is no UTF-8: got %v", err)
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
		"encrypted":    {patch(6, 8, zipEncrypted), `"Dockerfile" is refused: it is encrypted`},
		"other method": {patch(8, 10, 12), `"Dockerfile" is refused: it is compressed by method 12`},
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
		"nothing": {nil, "is empty"}, "text": {[]byte("FROM scratch\n"), "no archive"}, "zeros": {make([]byte, 100), "no archive"},
		"7z": {[]byte("7z\xbc\xaf\x27\x1c______"), "a 7z archive"}, "xz": {[]byte("\xfd7zXZ\x00__"), "a xz archive"}, "rar": {[]byte("Rar!\x1a\x07\x00"), "a rar archive"},
		"gzip of text": {gzipOf(t, []byte("FROM scratch\n")), "cut off"}, "gzip of a zip": {gzipOf(t, zipOf(t, project()...)), ""},
		"gzip with a tail": {append(gzipOf(t, plain), "a longer tail"...), "damaged"},
		"two tars":         {append(slices.Clone(plain), plain...), "behind its end"},
		"no end":           {plain[:len(plain)-2*tarBlock], "cut off"},
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
		change  func(*UploadLimits)
		says    string
	}{
		"entries":             {many, nil, "more than 50"},
		"implied directories": {[]*tar.Header{file("a/b/c/d", "")}, func(l *UploadLimits) { l.Entries = 3 }, "more than 3"},
		"unpacked":            {[]*tar.Header{file("a", "12345"), file("b", "678901")}, func(l *UploadLimits) { l.Unpacked = 10 }, "unpacks to more than 10 bytes"},
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

// A zip made on Windows has no modes and no executables.
func TestUnpackForeignZip(t *testing.T) {
	h := file("run.sh", "#!/bin/sh\n")
	h.Mode = 0
	got, err := unpackBytes(t, zipOf(t, h))
	if err != nil || got["run.sh"] != "- #!/bin/sh\n" {
		t.Errorf("got %v %v", got, err)
	}
}
