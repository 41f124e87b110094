package export

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/stream"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Layer is a layer as the registry has it.
type Layer struct {
	digest v1.Hash
	size   int64
	// mediaType and diffID, of the uncompressed bytes, are empty when the layer is as
	// it came.
	mediaType types.MediaType
	diffID    v1.Hash
	// repository has the layer, or had it when it was last seen.
	repository string
}

// outgoing is a layer on its way to the registry; digest and size are known
// once it was read to its end. It is a v1.Layer that can be read once.
type outgoing struct {
	body    io.Reader
	sum     hash.Hash
	read    int64
	started bool
	ended   bool
}

func newOutgoing(body io.Reader) *outgoing { return &outgoing{body: body, sum: sha256.New()} }

func (o *outgoing) Read(b []byte) (int, error) {
	n, err := o.body.Read(b)
	_, _ = o.sum.Write(b[:n]) // a hash never fails
	o.read += int64(n)
	o.ended = o.ended || errors.Is(err, io.EOF)
	return n, err
}

func (o *outgoing) Close() error { return nil }

// Digest implements v1.Layer.
func (o *outgoing) Digest() (v1.Hash, error) {
	if !o.ended {
		return v1.Hash{}, stream.ErrNotComputed
	}
	return hashOf(o.sum), nil
}

// Compressed implements v1.Layer.
func (o *outgoing) Compressed() (io.ReadCloser, error) {
	if o.started {
		return nil, stream.ErrConsumed
	}
	o.started = true
	return o, nil
}

// Size implements v1.Layer.
func (o *outgoing) Size() (int64, error) {
	if !o.ended {
		return 0, stream.ErrNotComputed
	}
	return o.read, nil
}

// DiffID implements v1.Layer.
func (o *outgoing) DiffID() (v1.Hash, error) { return v1.Hash{}, stream.ErrNotComputed }

// Uncompressed implements v1.Layer.
func (o *outgoing) Uncompressed() (io.ReadCloser, error) { return nil, stream.ErrNotComputed }

// MediaType implements v1.Layer.
func (o *outgoing) MediaType() (types.MediaType, error) { return types.OCILayer, nil }

func hashOf(h hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}
}

// isCompressed tells by a layer's first bytes: those of gzip and of zstd.
func isCompressed(layer *bufio.Reader) bool {
	head, _ := layer.Peek(4) // a shorter one is no layer, whatever reads it will say so
	return bytes.HasPrefix(head, []byte{0x1f, 0x8b}) || bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd})
}

// finishLayer writes the archive that write makes, compressed, to out, and returns the
// hash of the archive.
func (c compression) finishLayer(out io.Writer, write func(io.Writer) error) (v1.Hash, error) {
	compressor, err := c.open(out)
	if err != nil {
		return v1.Hash{}, err
	}
	sum := sha256.New()
	buffered := bufio.NewWriterSize(io.MultiWriter(sum, compressor), 256<<10)
	err = write(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err = errors.Join(err, compressor.Close()); err != nil {
		return v1.Hash{}, err
	}
	return hashOf(sum), nil
}
