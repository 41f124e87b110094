//go:build linux

package buildkit

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"iter"
	"testing"
)

// tarFiles yields what a compressed layer holds.
func tarFiles(t *testing.T, blob io.Reader) iter.Seq2[*tar.Header, string] {
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
			content, err := io.ReadAll(archive)
			if err != nil {
				t.Fatal(err)
			}
			if !yield(header, string(content)) {
				return
			}
		}
	}
}
