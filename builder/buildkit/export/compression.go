package export

import (
	"io"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/pgzip"
)

// What Config.Compression may be. Every client reads gzip.
const (
	Gzip = "gzip"
	Zstd = "zstd"
)

// gzipLevel takes a third of the time that gzip's usual level takes, for layers
// that are 1 to 14 percent larger.
const gzipLevel = 3

// compression is how new layers are compressed. The same bytes become the same
// on every machine, however many cores work on them.
type compression struct {
	mediaType types.MediaType
	open      func(io.Writer) (io.WriteCloser, error)
}

var compressions = map[string]compression{
	Gzip: {types.OCILayer, func(out io.Writer) (io.WriteCloser, error) {
		w, err := pgzip.NewWriterLevel(out, gzipLevel)
		if err == nil {
			w.ModTime = time.Unix(0, 0) // the header's "unknown"
		}
		return w, err
	}},
	// Half of gzip's work, and a tenth smaller.
	Zstd: {types.OCILayerZStd, func(out io.Writer) (io.WriteCloser, error) {
		return zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedFastest))
	}},
}
