package backup_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/fandoghpaas/fandogh/internal/backup"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// streamed is a snapshot of two files as a tar.
func streamed(t *testing.T) []byte {
	t.Helper()
	p := newPlace(t)
	p.write("fixed", "x")
	p.write("moves", "12")
	var out bytes.Buffer
	stream := backup.NewStream(t.Context(), &out)
	p.add(stream)
	p.must(stream.Add(backup.ConfigFile, filepath.Join(p.from, "fixed"), backup.Changing))
	_, err := stream.Finish(backup.Manifest{Program: "test"})
	p.must(err)
	return out.Bytes()
}

func compressed(t *testing.T, data []byte, to func(io.Writer) io.WriteCloser) []byte {
	t.Helper()
	var out bytes.Buffer
	w := to(&out)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gzipped(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }

func TestRestoreTar(t *testing.T) {
	plain := streamed(t)
	for name, data := range map[string][]byte{
		"tar": plain, "gzip": compressed(t, plain, gzipped),
		"zstd":           compressed(t, plain, func(w io.Writer) io.WriteCloser { e, _ := zstd.NewWriter(w); return e }),
		"of a directory": repacked(t, plain, func(h *tar.Header) { h.Name = "./20260301T023000.000Z/" + h.Name }),
	} {
		t.Run(name, func(t *testing.T) {
			to := t.TempDir()
			m, files, size, err := backup.RestoreTar(t.Context(), bytes.NewReader(data), to, "config", func(name string) string { return "to-" + name })
			if err != nil || files != 3 || size != 4 || m.Files != files || m.Bytes != size || m.Program != "test" {
				t.Errorf("%+v, %d files, %d bytes, %v", m, files, size, err)
			}
			testkit.Same(t, "restored", contents(t, to), map[string]string{"to-fixed": "x", "to-moves": "12", "config": "x"})
			if info, err := os.Stat(filepath.Join(to, "to-fixed")); err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("%v, %v", info, err)
			}
		})
	}
}

// repacked is a tar with changed headers.
func repacked(t *testing.T, data []byte, change func(*tar.Header)) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		header, err := r.Next()
		if err == io.EOF { //nolint:errorlint // of our own tar
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		change(header)
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if header.Size > 0 {
			_, err = io.Copy(w, r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestRestoreTarRefuses(t *testing.T) {
	plain := streamed(t)
	rename := func(to string) []byte {
		return repacked(t, plain, func(h *tar.Header) {
			if h.Name == "data/moves" {
				h.Name = to
			}
		})
	}
	link := func(kind byte, to string) []byte {
		return repacked(t, plain, func(h *tar.Header) {
			if h.Name == "data/moves" {
				h.Typeflag, h.Linkname, h.Size = kind, to, 0
			}
		})
	}
	for name, test := range map[string]struct {
		data []byte
		says string
	}{
		"nothing":                  {nil, "has no backup.json"},
		"text":                     {[]byte(strings.Repeat("no tar at all ", 100)), "invalid tar header"},
		"a way out":                {rename("data/../../out"), "is no name of a file in a backup"},
		"an absolute path":         {rename("/data/out"), "is no name of a file in a backup"},
		"a backslash":              {rename(`data/..\out`), "is no name of a file in a backup"},
		"another file":             {rename("etc/passwd"), "is no name of a file in a backup"},
		"the same twice":           {rename("data/fixed"), "file exists"},
		"a file for a directory":   {rename("data/fixed/below"), "file exists"},
		"a symbolic link":          {link(tar.TypeSymlink, "../out"), "is not a regular file"},
		"a hard link":              {link(tar.TypeLink, "data/fixed"), "is not a regular file"},
		"a device":                 {link(tar.TypeChar, ""), "is not a regular file"},
		"cut short":                {plain[:1200], "ends too early"},
		"without the end":          {plain[:2048], "has no backup.json"},
		"a cut gzip":               {compressed(t, plain, gzipped)[:100], "ends too early"},
		"a gzip of another sum":    {flipped(compressed(t, plain, gzipped), 8), "checksum"},
		"a manifest of two":        {rename("backup.json"), "more than one backup.json"},
		"a manifest of the future": {bytes.ReplaceAll(plain, []byte(`"format": 1`), []byte(`"format": 2`)), "it has format 2"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			to := filepath.Join(dir, "to")
			if err := os.Mkdir(to, 0o700); err != nil {
				t.Fatal(err)
			}
			_, _, _, err := backup.RestoreTar(t.Context(), bytes.NewReader(test.data), to, "config", strings.Clone)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %s", err, test.says)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
				t.Errorf("beside it: %v, %v", entries, err)
			}
		})
	}
}

// flipped changes a byte so far from the end.
func flipped(data []byte, fromEnd int) []byte {
	data[len(data)-fromEnd] ^= 1
	return data
}
