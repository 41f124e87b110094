package export

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/builder"
)

// maxDocument is the limit that registries set for manifests.
const maxDocument = 4 << 20

// Store is where BuildKit puts a finished image: a content store that lives for
// one solve. BuildKit exports layers as it has them, uncompressed and with the
// times of their making. They go on to the registry while they arrive, dated and
// compressed, once: a layer that the registry has from an earlier build is not
// even sent. Manifests and configurations stay here for Publish.
type Store struct {
	unsupported
	ctx         context.Context // of the solve
	transport   http.RoundTripper
	credential  builder.Credential
	tag         name.Tag
	pusher      *remote.Pusher
	compression compression // of new layers
	known       *knownLayers
	slots       chan struct{} // one is held for each layer on its way
	times       layerTimes    // of new layers
	labels      map[string]string
	annotations map[string]string

	mu        sync.Mutex
	documents map[digest.Digest][]byte
	layers    map[digest.Digest]Layer // by the digest that BuildKit knows
	err       error                   // the first of storing a layer
	// These are by platform, "" where there is only one.
	bases  map[string]baseImage
	cuts   map[string][]Cut                   // from the lowest on
	python map[string]map[string]PythonSource // in them, by name
}

// Store returns where BuildKit puts an image that is built. It is done with when ctx ends.
func (e *Exporter) Store(ctx context.Context, image Image) (*Store, error) {
	naming := []name.Option{name.StrictValidation}
	if e.plainHTTP {
		naming = append(naming, name.Insecure)
	}
	tag, err := name.NewTag(image.Destination, naming...)
	if err != nil {
		return nil, err
	}
	s := &Store{
		ctx: ctx, transport: e.transport, credential: image.Credential, tag: tag,
		compression: e.compression, known: e.known, slots: e.slots, times: layerTimes{commit: image.Dated},
		labels: image.Labels, annotations: image.Annotations,
		documents: map[digest.Digest][]byte{}, layers: map[digest.Digest]Layer{},
		cuts: map[string][]Cut{}, python: map[string]map[string]PythonSource{},
	}
	if image.Anew {
		s.known = newKnownLayers()
	}
	s.pusher, err = remote.NewPusher(s.remoteOptions()...)
	return s, err
}

func (s *Store) remoteOptions() []remote.Option {
	return []remote.Option{remote.WithTransport(s.transport), remote.WithAuth(&authn.Basic{Username: s.credential.Username, Password: s.credential.Password})}
}

// Info implements content.Store.
func (s *Store) Info(_ context.Context, d digest.Digest) (content.Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, isDocument := s.documents[d]
	_, isLayer := s.layers[d]
	if !isDocument && !isLayer {
		return content.Info{}, fmt.Errorf("%s: %w", d, errdefs.ErrNotFound)
	}
	return content.Info{Digest: d}, nil
}

// Writer implements content.Store.
func (s *Store) Writer(ctx context.Context, opts ...content.WriterOpt) (content.Writer, error) {
	var o content.WriterOpts
	for _, opt := range opts {
		if err := opt(&o); err != nil {
			return nil, err
		}
	}
	if _, err := s.Info(ctx, o.Desc.Digest); err == nil {
		return nil, fmt.Errorf("%s: %w", o.Desc.Digest, errdefs.ErrAlreadyExists)
	}
	if !strings.HasPrefix(o.Ref, "layer-") {
		return &documentWriter{store: s, status: content.Status{Ref: o.Ref, Total: o.Desc.Size}}, nil
	}
	if layer, ok := s.find(o.Desc); ok {
		s.putLayer(o.Desc.Digest, layer)
		return nil, fmt.Errorf("%s: %w", o.Desc.Digest, errdefs.ErrAlreadyExists)
	}
	// A layer that has begun to come must be taken: all of them share a connection,
	// on which unread bytes of one keep back the others'. BuildKit sends nothing
	// before it has its writer.
	select {
	case s.slots <- struct{}{}:
		return newLayerWriter(s, o), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *Store) putLayer(d digest.Digest, layer Layer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.layers[d] = layer
}

func (s *Store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// Failure is why a layer could not be stored, nil when all were.
func (s *Store) Failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// find looks for a layer in the image's repository: as it became in an earlier
// build, or, for one of a base image, as it is. A layer that another repository
// has is taken over from there.
func (s *Store) find(d ocispec.Descriptor) (Layer, bool) {
	for _, name := range []digest.Digest{s.nameOf(d.Digest), d.Digest} {
		if layer, ok := s.recall(name); ok {
			return layer, true
		}
	}
	layer := Layer{digest: v1.Hash{Algorithm: d.Digest.Algorithm().String(), Hex: d.Digest.Encoded()}, size: d.Size}
	return layer, s.has(layer.digest)
}

// nameOf is what a layer of BuildKit's is remembered by: it becomes another one with
// other times.
func (s *Store) nameOf(d digest.Digest) digest.Digest {
	if s.isBase(d) {
		return d
	}
	return digest.FromString(d.String() + " " + s.times.name())
}

// recall returns a layer that was stored before and still is, for this image.
func (s *Store) recall(name digest.Digest) (Layer, bool) {
	layer, ok := s.known.get(name)
	return layer, ok && (s.has(layer.digest) || layer.repository != s.tag.RepositoryStr() && s.mount(layer))
}

func (s *Store) remember(name digest.Digest, layer Layer) {
	layer.repository = s.tag.RepositoryStr()
	s.known.put(name, layer)
	// By this name it comes back in images that are made FROM this one.
	s.known.put(digest.Digest(layer.digest.String()), Layer{digest: layer.digest, size: layer.size, repository: layer.repository})
}

// pythonSources returns what is under a name in any platform's image: layers come without a word on whose they are.
func (s *Store) pythonSources(name string) (found []PythonSource) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, platform := range slices.Sorted(maps.Keys(s.python)) {
		if source, ok := s.python[platform][name]; ok {
			found = append(found, source)
		}
	}
	return found
}

func (s *Store) isBase(d digest.Digest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, base := range s.bases {
		if base.layers[d] {
			return true
		}
	}
	return false
}

// has asks the registry for a blob of the image's repository.
func (s *Store) has(blob v1.Hash) bool {
	status, _ := s.ask(http.MethodHead, s.blobs()+blob.String())
	return status == http.StatusOK
}

// mount asks the registry to take a blob over from another repository. One that
// may not or can't begins an upload instead, which is given up.
func (s *Store) mount(layer Layer) bool {
	query := url.Values{"mount": {layer.digest.String()}, "from": {layer.repository}}
	status, upload := s.ask(http.MethodPost, s.blobs()+"uploads/?"+query.Encode())
	if status == http.StatusAccepted && upload != nil {
		s.ask(http.MethodDelete, upload.String())
	}
	return status == http.StatusCreated
}

func (s *Store) blobs() string {
	repository := s.tag.Repository
	return fmt.Sprintf("%s://%s/v2/%s/blobs/", repository.Scheme(), repository.RegistryStr(), repository.RepositoryStr())
}

// ask sends a request without a body to the registry. Whatever is wrong, the
// status is 0 then, will be seen when the layer is stored.
func (s *Store) ask(method, address string) (status int, location *url.URL) {
	request, err := http.NewRequestWithContext(s.ctx, method, address, nil)
	if err != nil {
		return 0, nil
	}
	request.SetBasicAuth(s.credential.Username, s.credential.Password)
	response, err := s.transport.RoundTrip(request)
	if err != nil {
		return 0, nil
	}
	if err := response.Body.Close(); err != nil {
		return 0, nil
	}
	location, _ = response.Location() // none is fine
	return response.StatusCode, location
}

// documentWriter keeps a manifest or configuration.
type documentWriter struct {
	store  *Store
	text   bytes.Buffer
	status content.Status
}

func (w *documentWriter) Write(b []byte) (int, error) {
	if w.text.Len()+len(b) > maxDocument {
		return 0, fmt.Errorf("%s is larger than %d bytes: %w", w.status.Ref, maxDocument, errdefs.ErrOutOfRange)
	}
	w.status.Offset += int64(len(b))
	return w.text.Write(b)
}

// Commit implements content.Writer.
func (w *documentWriter) Commit(_ context.Context, _ int64, expected digest.Digest, _ ...content.Opt) error {
	if got := w.Digest(); got != expected {
		return fmt.Errorf("%s came as %s: %w", expected, got, errdefs.ErrFailedPrecondition)
	}
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	w.store.documents[expected] = w.text.Bytes()
	return nil
}

// Digest implements content.Writer.
func (w *documentWriter) Digest() digest.Digest {
	return digest.FromBytes(w.text.Bytes())
}

// Status implements content.Writer.
func (w *documentWriter) Status() (content.Status, error) { return w.status, nil }

// Truncate implements content.Writer.
func (w *documentWriter) Truncate(int64) error {
	w.text.Reset()
	w.status.Offset = 0
	return nil
}

// Close implements content.Writer.
func (w *documentWriter) Close() error { return nil }

// unsupported is what an export never asks of a content store.
type unsupported struct{}

// Update implements content.Store.
func (unsupported) Update(context.Context, content.Info, ...string) (content.Info, error) {
	return content.Info{}, errdefs.ErrNotImplemented
}

// Walk implements content.Store.
func (unsupported) Walk(context.Context, content.WalkFunc, ...string) error {
	return errdefs.ErrNotImplemented
}

// Delete implements content.Store.
func (unsupported) Delete(context.Context, digest.Digest) error { return errdefs.ErrNotImplemented }

// ReaderAt implements content.Store.
func (unsupported) ReaderAt(context.Context, ocispec.Descriptor) (content.ReaderAt, error) {
	return nil, errdefs.ErrNotImplemented
}

// Status implements content.Store.
func (unsupported) Status(context.Context, string) (content.Status, error) {
	return content.Status{}, errdefs.ErrNotImplemented
}

// ListStatuses implements content.Store.
func (unsupported) ListStatuses(context.Context, ...string) ([]content.Status, error) {
	return nil, errdefs.ErrNotImplemented
}

// Abort implements content.Store. A writer that is closed leaves nothing.
func (unsupported) Abort(context.Context, string) error { return nil }
