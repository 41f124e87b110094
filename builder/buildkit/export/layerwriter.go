package export

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/opencontainers/go-digest"
)

// maxKnownLayers is how many layers are remembered, at some 300 bytes each.
const maxKnownLayers = 10_000

// knownLayers remembers what became of BuildKit's layers. It only saves time: a
// layer that was forgotten is made again, to the same bytes.
type knownLayers struct {
	layers *lru.Cache[digest.Digest, Layer]
}

func newKnownLayers() *knownLayers {
	layers, _ := lru.New[digest.Digest, Layer](maxKnownLayers) // only a size below one is an error
	return &knownLayers{layers}
}

func (k *knownLayers) get(d digest.Digest) (Layer, bool) { return k.layers.Get(d) }
func (k *knownLayers) put(d digest.Digest, layer Layer)  { k.layers.Add(d, layer) }

// layerWriter takes one layer from BuildKit and passes it on to the registry.
type layerWriter struct {
	store  *Store
	status content.Status
	in     *io.PipeWriter
	stop   func() bool
	done   chan struct{} // closed when the registry has the layer, or err is set
	stored Layer
	err    error
}

var errAbandoned = errors.New("BuildKit broke off in the middle of a layer")

// newLayerWriter gives its slot back when the layer is stored or given up.
func newLayerWriter(s *Store, o content.WriterOpts) *layerWriter {
	out, in := io.Pipe()
	w := &layerWriter{store: s, in: in, done: make(chan struct{}), status: content.Status{Ref: o.Ref, Total: o.Desc.Size}}
	w.stop = context.AfterFunc(s.ctx, func() { _ = in.CloseWithError(context.Cause(s.ctx)) })
	go func() {
		defer close(w.done)
		defer func() { <-s.slots }()
		if w.stored, w.err = s.store(o.Desc.Digest, out); w.err != nil && !errors.Is(w.err, errAbandoned) {
			s.fail(w.err)
		}
		// A writer that goes on must not wait for a reader.
		_ = out.CloseWithError(errors.Join(w.err, errAbandoned))
	}()
	return w
}

// store uploads a layer that BuildKit has. A base image's is kept as it is; another that is
// compressed already came from one, too.
func (s *Store) store(d digest.Digest, in io.Reader) (Layer, error) {
	layer := bufio.NewReaderSize(in, 64<<10)
	if s.isBase(d) || isCompressed(layer) {
		return s.upload(newOutgoing(layer))
	}
	return s.storeNew(func(out io.Writer) error { return s.times.dateArchive(out, layer, s.pythonSources) })
}

// storeNew uploads the layer whose archive write makes.
func (s *Store) storeNew(write func(io.Writer) error) (Layer, error) {
	compressed, to := io.Pipe()
	defer compressed.Close() //nolint:errcheck // a pipe's end closes without a fault
	var finished Layer
	made := make(chan error, 1)
	go func() {
		var err error
		finished.diffID, err = s.compression.finishLayer(to, write)
		_ = to.CloseWithError(err)
		made <- err
	}()
	stored, err := s.upload(newOutgoing(compressed))
	_ = compressed.CloseWithError(err) // lets the maker end
	if madeErr := <-made; err == nil {
		err = madeErr
	}
	if err != nil {
		return Layer{}, err
	}
	stored.mediaType, stored.diffID = s.compression.mediaType, finished.diffID
	return stored, nil
}

func (s *Store) upload(layer *outgoing) (Layer, error) {
	if err := s.pusher.Upload(s.ctx, s.tag.Repository, layer); err != nil {
		return Layer{}, err
	}
	sum, err := layer.Digest()
	return Layer{digest: sum, size: layer.read}, err
}

func (w *layerWriter) Write(b []byte) (int, error) {
	n, err := w.in.Write(b)
	w.status.Offset += int64(n)
	return n, err
}

// Commit implements content.Writer.
func (w *layerWriter) Commit(_ context.Context, size int64, expected digest.Digest, _ ...content.Opt) error {
	defer w.stop()
	if size > 0 && size != w.status.Offset {
		_ = w.in.CloseWithError(errAbandoned)
		return fmt.Errorf("%s came with %d bytes of %d: %w", expected, w.status.Offset, size, errdefs.ErrFailedPrecondition)
	}
	_ = w.in.Close()
	<-w.done
	if w.err != nil {
		return w.err
	}
	w.status.Expected = expected
	w.store.remember(w.store.nameOf(expected), w.stored)
	w.store.putLayer(expected, w.stored)
	return nil
}

// Close implements content.Writer. What was not committed is given up.
func (w *layerWriter) Close() error {
	w.stop()
	return w.in.CloseWithError(errAbandoned)
}

// Digest implements content.Writer. BuildKit addresses what it sends by its
// digest, and gRPC guards the way here.
func (w *layerWriter) Digest() digest.Digest { return w.status.Expected }

// Status implements content.Writer.
func (w *layerWriter) Status() (content.Status, error) { return w.status, nil }

// Truncate implements content.Writer. What went on to the registry can't be
// taken back.
func (w *layerWriter) Truncate(size int64) error {
	if size == 0 && w.status.Offset == 0 {
		return nil
	}
	return errdefs.ErrNotImplemented
}
