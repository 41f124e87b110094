package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/catalog"
)

// maxManifest bounds a manifest, in bytes.
const maxManifest = 4 << 20

// manifestParts is what manifests, lists of them and artifacts refer to.
type manifestParts struct {
	MediaType    string               `json:"mediaType"`
	ArtifactType string               `json:"artifactType"`
	Config       *ocispec.Descriptor  `json:"config"`
	Layers       []ocispec.Descriptor `json:"layers"`
	Blobs        []ocispec.Descriptor `json:"blobs"`
	Manifests    []ocispec.Descriptor `json:"manifests"`
	Subject      *ocispec.Descriptor  `json:"subject"`
	Annotations  map[string]string    `json:"annotations"`
}

// blobs are the parts that are no manifests.
func (m manifestParts) blobs() []ocispec.Descriptor {
	parts := append(append([]ocispec.Descriptor(nil), m.Layers...), m.Blobs...)
	if m.Config != nil {
		parts = append(parts, *m.Config)
	}
	return parts
}

// manifestPut is one manifest on its way in.
type manifestPut struct {
	*Registry
	id     catalog.Identity
	image  catalog.Image // without an ID when it does not exist yet
	ref    string        // as the client wrote it: a tag or a digest
	body   []byte
	digest digest.Digest
	parts  manifestParts
}

// putManifest takes manifests in. One that a user gives a tag becomes a version.
func (r *Registry) putManifest(id catalog.Identity, image catalog.Image, ref string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		p := &manifestPut{Registry: r, id: id, image: image, ref: ref}
		answer, err := p.take(w, req)
		if err != nil {
			r.fail(w, req, err)
			return
		}
		answer.sendTo(w)
	})
}

func (p *manifestPut) take(w http.ResponseWriter, req *http.Request) (*heldAnswer, error) {
	if err := p.read(w, req); err != nil {
		return nil, err
	}
	_, err := digest.Parse(p.ref)
	if byDigest := err == nil; byDigest || p.id.Build != nil {
		return p.store(req)
	}
	// Versions never change: who looks and who records must be one at a time.
	p.recording.Lock()
	defer p.recording.Unlock()
	if err := p.mayBecome(req.Context()); err != nil {
		return nil, err
	}
	// The catalog says which tags exist; the storage needs the manifest alone.
	req.URL.Path, req.URL.RawPath = strings.TrimSuffix(req.URL.Path, p.ref)+p.digest.String(), ""
	answer, err := p.store(req)
	if err != nil || answer.status != http.StatusCreated {
		return answer, err
	}
	return answer, p.record(req)
}

// read takes the body in.
func (p *manifestPut) read(w http.ResponseWriter, req *http.Request) error {
	var err error
	p.body, err = io.ReadAll(http.MaxBytesReader(w, req.Body, maxManifest))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return catalog.Errorf(catalog.TooLarge, "a manifest has at most %d bytes", maxManifest)
	case err != nil:
		return catalog.Wrap(catalog.Invalid, err, "the manifest was cut off; push again")
	}
	p.digest = digest.FromBytes(p.body)
	return nil
}

// parse reads what the manifest refers to, and marks it all as in use.
func (p *manifestPut) parse() error {
	// The app reads less of it; what only it could read would stop the collector.
	if err := json.Unmarshal(p.body, &p.parts); err != nil {
		return catalog.Wrap(catalog.Invalid, err, "the manifest is no JSON of a known shape")
	}
	used := []digest.Digest{p.digest}
	for _, part := range append(p.parts.blobs(), p.parts.Manifests...) {
		used = append(used, part.Digest)
	}
	return p.use(used...)
}

// store has the app check and keep the manifest, and makes the image when that
// went well.
func (p *manifestPut) store(req *http.Request) (*heldAnswer, error) {
	if err := p.parse(); err != nil {
		return nil, err
	}
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(p.body)), int64(len(p.body))
	req.Header.Set("Content-Length", strconv.Itoa(len(p.body)))
	answer := &heldAnswer{header: http.Header{}}
	p.app.ServeHTTP(answer, req)
	if answer.status != http.StatusCreated {
		return answer, nil
	}
	if p.parts.Subject != nil {
		if err := p.addReferrer(p); err != nil {
			return nil, err
		}
		answer.header.Set("OCI-Subject", p.parts.Subject.Digest.String())
	}
	return answer, p.createImage(req)
}

// mayBecome refuses what would change a version that is there.
func (p *manifestPut) mayBecome(ctx context.Context) error {
	if err := catalog.ValidateVersion(p.ref); err != nil || p.image.ID == 0 {
		return err
	}
	version, err := p.Registry.store.Version(ctx, p.image.ID, p.ref)
	switch {
	case catalog.CodeOf(err) == catalog.NotFound:
		return nil
	case err != nil:
		return err
	case version.State == catalog.Built && version.Digest != p.digest.String():
		return catalog.Errorf(catalog.Conflict, "version %s is built and never changes; choose another version", p.ref)
	case !version.State.Ended():
		return catalog.Errorf(catalog.Conflict, "version %s is being built; wait for it or cancel it, or choose another version", p.ref)
	}
	return nil
}

// createImage makes the image of a first push.
func (p *manifestPut) createImage(req *http.Request) error {
	if p.image.ID != 0 {
		return nil
	}
	ctx := context.WithoutCancel(req.Context())
	image, err := p.Registry.store.CreateImage(ctx, catalog.NewImage{Ref: p.image.Ref, OwnerID: p.id.User.ID})
	if catalog.CodeOf(err) == catalog.Conflict {
		image, err = p.Registry.store.Image(ctx, p.image.Ref) // another first push was faster
	}
	if p.image = image; err == nil {
		p.audit(req, p.id.User.Name, "image created", "image", image.Ref)
	}
	return err
}

// record makes the stored manifest a version.
func (p *manifestPut) record(req *http.Request) error {
	ctx := context.WithoutCancel(req.Context())
	size, err := p.bytesOf(p.digest)
	if err != nil {
		return err
	}
	version, err := p.Registry.store.RecordVersion(ctx, catalog.ReadyVersion{
		ImageID: p.image.ID, Version: p.ref, Trigger: catalog.TriggerRegistry, UserID: p.id.User.ID,
		Digest: p.digest.String(), Size: size, At: time.Now(),
	})
	if err == nil {
		p.audit(req, p.id.User.Name, "version pushed", "image", p.image.Ref, "version", version.Name, "digest", version.Digest)
	}
	return err
}

// heldAnswer keeps an answer back until everything that belongs to it is done.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header returns the headers to be sent.
func (h *heldAnswer) Header() http.Header { return h.header }

// WriteHeader keeps the status.
func (h *heldAnswer) WriteHeader(status int) {
	if h.status == 0 && status >= http.StatusOK {
		h.status = status
	}
}

// Write keeps the body.
func (h *heldAnswer) Write(b []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	return h.body.Write(b)
}

func (h *heldAnswer) sendTo(w http.ResponseWriter) {
	for name, values := range h.header {
		w.Header()[name] = values
	}
	if h.status == 0 {
		h.status = http.StatusOK
	}
	w.WriteHeader(h.status)
	// A failed write is a client that went away.
	_, _ = w.Write(h.body.Bytes())
}
