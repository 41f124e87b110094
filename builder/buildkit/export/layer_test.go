package export

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/fandoghpaas/fandogh/builder/buildkittest"
)

func always(at time.Time) func(string) time.Time { return func(string) time.Time { return at } }

func byContent(content string) time.Time {
	at, _ := layerTimes{}.of(buildkittest.BlobOf(content)) // the name is one
	return at
}

// dated writes an archive as a new layer has it.
func dated(in io.Reader) func(io.Writer) error {
	return func(out io.Writer) error { return layerTimes{}.dateArchive(out, in, nil) }
}

func noise(size int) string {
	b := make([]byte, size)
	for i := range b {
		b[i] = "abcdefgh"[rand.IntN(8)]
	}
	return string(b)
}

func TestFinishedLayersAreTheSameEverywhere(t *testing.T) {
	readers := map[string]func(io.Reader) (io.Reader, error){
		Gzip: func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		Zstd: func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
	}
	for name := range compressions {
		t.Run(name, func(t *testing.T) { testFinishedLayers(t, compressions[name], readers[name]) })
	}
}

func testFinishedLayers(t *testing.T, with compression, reader func(io.Reader) (io.Reader, error)) {
	files := map[string]string{"large": noise(5 << 20), "small": "x"} // several blocks of the compressor
	make := func(at time.Time, cores int, chunks bool) ([]byte, string) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
		var out bytes.Buffer
		var in io.Reader = bytes.NewReader(buildkittest.Archive(t, always(at), files))
		if chunks {
			in = iotest.HalfReader(in)
		}
		diffID, err := with.finishLayer(&out, dated(in))
		if err != nil {
			t.Fatal(err)
		}
		return out.Bytes(), diffID.Hex
	}
	first, diffID := make(time.Now(), 1, false)
	second, otherID := make(time.Now().Add(-time.Hour), 8, true)
	if !bytes.Equal(first, second) || diffID != otherID {
		t.Error("two makings of one layer differ")
	}
	unpacked, err := reader(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	sum.Write(plain)
	if got := hashOf(sum).Hex; got != diffID {
		t.Errorf("the layer unpacks to %s, its diffID is %s", got, diffID)
	}
	want := buildkittest.Archive(t, byContent, files)
	if !bytes.Equal(plain, want) {
		t.Error("the layer is not the archive with the contents' times")
	}
}

func TestEarlyTimesAndBrokenArchives(t *testing.T) {
	var out bytes.Buffer
	early := layerEpoch.Add(-time.Hour)
	if err := (layerTimes{}).dateArchive(&out, bytes.NewReader(buildkittest.Archive(t, always(early), map[string]string{"old": "1"})), nil); err != nil {
		t.Fatal(err)
	}
	header, err := tar.NewReader(&out).Next()
	if err != nil || !header.ModTime.Equal(early) || header.PAXRecords["SCHILY.xattr.user.note"] != "kept" {
		t.Errorf("got %+v, %v", header, err)
	}
	whole := buildkittest.Archive(t, always(early), map[string]string{"old": strings.Repeat("1", 5000)})
	if _, err := compressions[Gzip].finishLayer(io.Discard, dated(bytes.NewReader(whole[:3000]))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a cut archive gives %v", err)
	}
	broken := errors.New("broken pipe")
	if _, err := compressions[Gzip].finishLayer(failingWriter{broken}, dated(bytes.NewReader(whole))); !errors.Is(err, broken) {
		t.Errorf("a failing registry gives %v", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }
