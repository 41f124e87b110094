//go:build linux

package buildkittest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/internal/bounded"
)

// TarFiles yields what a compressed layer holds.
func TarFiles(t *testing.T, blob io.Reader) iter.Seq2[*tar.Header, string] {
	t.Helper()
	return func(yield func(*tar.Header, string) bool) {
		unzipped, err := gzip.NewReader(blob)
		if err != nil {
			t.Fatal(err)
		}
		archive := tar.NewReader(unzipped)
		for {
			header, err := archive.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			content, err := bounded.ReadAll(archive, 1<<30)
			if err != nil {
				t.Fatal(err)
			}
			if !yield(header, string(content)) {
				return
			}
		}
	}
}

// Archive makes a layer's archive of files that carry a time.
func Archive(t testing.TB, at func(content string) time.Time, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		header := &tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(files[name])), Mode: 0o755, ModTime: at(files[name]),
			PAXRecords: map[string]string{"SCHILY.xattr.user.note": "kept"}, Format: tar.FormatPAX}
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// LayerEpoch is the time of what is no file in new layers.
var LayerEpoch = time.Date(1980, 1, 1, 0, 0, 1, 0, time.UTC)

// ContentTime is the time that files of a content have in new layers.
func ContentTime(content string) time.Time {
	n, err := strconv.ParseUint(string(BlobOf(content)[:16]), 16, 64)
	if err != nil {
		panic(err)
	}
	return LayerEpoch.Add(time.Duration(n%(1<<29)) * time.Second)
}
