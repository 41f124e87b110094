package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/bounded"
)

// A manifest may have so many bytes, values, and layers or other manifests, of which each is looked up.
const (
	maxManifest       = 4 << 20
	maxManifestValues = 100_000
	maxParts          = 4000
)

// manifestPut is one manifest on its way in.
type manifestPut struct {
	registry *Registry
	id       catalog.Identity
	image    catalog.Image // without an ID when it does not exist yet
	ref      string        // as the client wrote it: a tag or a digest
	body     []byte
	digest   digest.Digest
	parts    manifestParts // as far as they can be read
	syntax   error         // that kept the rest from being read; parse tells of it
	admit    func(more catalog.Amounts) error
	reserve  func(contents map[string]int64) (release func(), err error)
	added    map[string]int64 // what it makes part of the image, bytes by digest
	stray    bool             // stored, and there is no image that it could be of
}

// putManifest takes manifests in. One that a user gives a tag becomes a version.
func (c *call) putManifest() error {
	if err := c.admit(catalog.Amounts{}); err != nil {
		return err
	}
	p := &manifestPut{registry: c.registry, id: c.id, image: c.image, ref: c.vars["reference"], admit: c.admit, reserve: c.reserve}
	answer, err := p.take(c.w, c.req)
	if p.stray {
		err = errors.Join(err, p.drop(context.WithoutCancel(c.req.Context())))
	}
	if err != nil {
		return err
	}
	if answer.status == http.StatusCreated {
		c.noteManifest(p)
	}
	answer.sendTo(c.w)
	return nil
}

func (p *manifestPut) take(w http.ResponseWriter, req *http.Request) (*bufferedResponse, error) {
	if err := p.read(w, req); err != nil {
		return nil, err
	}
	var err error
	if p.added, err = p.contents(); err != nil {
		return nil, err
	}
	release, err := p.reserve(p.added)
	if err != nil {
		return nil, err
	}
	defer release()
	p.registry.linking.RLock()
	defer p.registry.linking.RUnlock()
	if err := p.registry.checkName(req.Context(), p.image); err != nil {
		return nil, err
	}
	d, err := digest.Parse(p.ref)
	byDigest := err == nil
	if byDigest && d.Algorithm() != digest.SHA256 {
		return nil, catalog.FieldErrorf(aboutDigest, "this registry stores manifests only by sha256 digest, not by %s; push it as %s", d.Algorithm(), p.digest)
	}
	if byDigest || p.id.Build != nil {
		return p.store(req)
	}
	if moves, err := p.registry.moves(req.Context(), p.image, p.ref); err != nil || moves {
		if err != nil {
			return nil, err
		}
		return p.storeMoving(req)
	}
	// Versions never change: who looks and who records must be one at a time.
	p.registry.recording.Lock()
	defer p.registry.recording.Unlock()
	if err := p.mayBecome(req.Context()); err != nil {
		return nil, err
	}
	// The catalog says which tags exist; the storage needs the manifest alone.
	readdress(req, p.ref, p.digest.String())
	answer, err := p.store(req)
	if err != nil || answer.status != http.StatusCreated {
		return answer, err
	}
	return answer, p.record(req)
}

// contents are what the manifest makes part of the image, as bytes by digest: itself and all that is here of what it refers to, whatever
// sizes it says. What an index lists was not yet, though it was put before.
func (p *manifestPut) contents() (map[string]int64, error) {
	found := map[digest.Digest]int64{p.digest: int64(len(p.body))}
	if err := p.registry.reachParts(p.image.Ref, p.parts, found); err != nil {
		return nil, err
	}
	added := map[string]int64{}
	for d, size := range found {
		added[d.String()] = size
	}
	return added, nil
}

// storeMoving stores what is to be under a tag that is no version.
func (p *manifestPut) storeMoving(req *http.Request) (*bufferedResponse, error) {
	p.registry.attaching.Lock()
	defer p.registry.attaching.Unlock()
	if err := p.registry.keepsOwn(req.Context(), p.image, p.ref, p.parts.Layers); err != nil {
		return nil, err
	}
	return p.store(req)
}

// read takes the body in.
func (p *manifestPut) read(w http.ResponseWriter, req *http.Request) error {
	body, err := bounded.ReadAll(http.MaxBytesReader(w, req.Body, maxManifest), maxManifest)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return catalog.Errorf(catalog.TooLarge, "the manifest is larger than %d bytes, which is the limit", maxManifest)
	case err != nil && catalog.CodeOf(err) != catalog.Internal:
		return err
	case err != nil:
		return catalog.Wrap(catalog.Invalid, err, "the manifest is incomplete; push again")
	}
	if err := bounded.CheckValues(body, maxManifestValues); err != nil {
		return catalog.Wrap(catalog.TooLarge, err, "the manifest is too large: %v", err)
	}
	p.setBody(body)
	if len(p.parts.Layers) > maxParts || len(p.parts.Manifests) > maxParts {
		return catalog.Errorf(catalog.TooLarge, "the manifest refers to more than %d layers or manifests, which is the limit", maxParts)
	}
	return nil
}

func (p *manifestPut) setBody(body []byte) {
	p.body, p.digest = body, digest.FromBytes(body)
	p.syntax = json.Unmarshal(body, &p.parts)
}

// parse looks at what the manifest refers to, and marks it all as in use.
func (p *manifestPut) parse(ctx context.Context) error {
	// The app reads less of it; what only it could read would stop the collector.
	if p.syntax != nil {
		return &catalog.Error{Code: catalog.Invalid, Field: aboutManifest, Message: "the manifest is not valid JSON of a known media type", Err: p.syntax}
	}
	if p.parts.Schema != 2 {
		return &catalog.Error{Code: catalog.Invalid, Field: aboutManifest, Message: fmt.Sprintf("the manifest's schemaVersion is %d; it must be 2", p.parts.Schema)}
	}
	if err := p.parts.refuseElsewhere(); err != nil {
		return err
	}
	used := map[digest.Digest]int64{p.digest: 0}
	for _, part := range p.parts.blobs() {
		blob, err := p.registry.stored(p.image.Ref, part.Digest)
		if err != nil {
			return err
		}
		used[blob] = 0
	}
	for _, child := range p.parts.children() { // of which a client may have sent nothing now
		held, err := p.registry.holdsManifest(ctx, p.image.Ref, child.Digest)
		if err != nil {
			return err
		}
		if !held {
			continue // the app refuses it, or it is kept elsewhere
		}
		if err := p.registry.reach(p.image.Ref, child.Digest, used); err != nil {
			return err
		}
	}
	return p.registry.use(p.image.Ref, slices.Collect(maps.Keys(used))...)
}

// store has the app check and keep the manifest, and makes the image when that
// went well.
func (p *manifestPut) store(req *http.Request) (*bufferedResponse, error) {
	if err := p.parse(req.Context()); err != nil {
		return nil, err
	}
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(p.body)), int64(len(p.body))
	req.Header.Set("Content-Length", strconv.Itoa(len(p.body)))
	answer, err := p.registry.ask(req)
	if err != nil || answer.status != http.StatusCreated {
		return answer, err
	}
	if p.parts.Subject != nil {
		if err := p.registry.addReferrer(p); err != nil {
			return nil, err
		}
		answer.header.Set("OCI-Subject", p.parts.Subject.Digest.String())
	}
	err = p.createImage(req)
	p.stray = err != nil
	if err != nil {
		return answer, err
	}
	return answer, p.noteSubject(req.Context())
}

// noteSubject has the version found out anew that the manifest says something of.
func (p *manifestPut) noteSubject(ctx context.Context) error {
	if p.parts.Subject != nil {
		return p.registry.changed(ctx, p.image, p.parts.Subject.Digest)
	}
	if of, ofOne := subjectOf(p.ref); ofOne {
		return p.registry.changed(ctx, p.image, of)
	}
	return nil
}

// drop makes the repository serve a stray manifest no more, unless another push has made the image.
func (p *manifestPut) drop(ctx context.Context) error {
	p.registry.linking.Lock()
	defer p.registry.linking.Unlock()
	if _, err := p.registry.store.Image(ctx, p.image.Ref); catalog.CodeOf(err) != catalog.NotFound && catalog.CodeOf(err) != catalog.Moved {
		return err
	}
	repository, err := p.registry.repository(ctx, p.image.Ref)
	if err != nil {
		return err
	}
	if _, err := digest.Parse(p.ref); err != nil { // a tag, which is there when it is no version's
		if err := ignoreMissing(repository.Tags(ctx).Untag(ctx, p.ref)); err != nil {
			return err
		}
	}
	return p.registry.unlink(p.image.Ref, p.digest)
}

// mayBecome refuses what would change a version that is there.
func (p *manifestPut) mayBecome(ctx context.Context) error {
	if err := catalog.ValidateVersion(p.ref); err != nil {
		return err
	}
	if p.image.ID == 0 {
		return p.admit(catalog.Amounts{Images: 1, Versions: 1})
	}
	if p.image.NeedsSignedTags() {
		return catalog.NewBuild{Version: p.ref, Trigger: catalog.TriggerRegistry}.CheckSignedTag(p.image.Ref)
	}
	version, err := p.registry.store.Version(ctx, p.image.ID, p.ref)
	switch {
	case catalog.CodeOf(err) == catalog.NotFound:
		if err := p.registry.checkDeleted(ctx, p.image, p.ref, p.digest); err != nil {
			return err
		}
		return p.admit(catalog.Amounts{Versions: 1})
	case err != nil:
		return err
	case version.State == catalog.Built && version.Digest != p.digest.String():
		return catalog.Errorf(catalog.Conflict, "version %s is already built and never changes; choose another version", p.ref)
	case !version.State.Ended():
		return catalog.Errorf(catalog.Conflict, "version %s is being built; wait for it or cancel it, or choose another version", p.ref)
	}
	return nil
}

// checkDeleted refuses a name that another image had, which was deleted. The store decides when the version is recorded; this
// is so that nothing is stored in vain.
func (r *Registry) checkDeleted(ctx context.Context, image catalog.Image, version string, d digest.Digest) error {
	t, err := r.store.Tombstone(ctx, image.ID, version)
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return t.CheckDigest(d.String())
}

// createImage makes the image of a first push.
func (p *manifestPut) createImage(req *http.Request) error {
	if p.image.ID != 0 {
		return nil
	}
	ctx := context.WithoutCancel(req.Context())
	image, err := p.registry.store.CreateImage(ctx, catalog.NewImage{Ref: p.image.Ref, OwnerID: p.id.User.ID})
	if catalog.CodeOf(err) == catalog.Conflict {
		image, err = p.registry.store.Image(ctx, p.image.Ref) // another first push was faster
	}
	if err != nil {
		return err
	}
	p.image = image
	p.registry.audit(req, p.id.User.Name, "image created", "image", image.Ref)
	return nil
}

// record makes the stored manifest a version.
func (p *manifestPut) record(req *http.Request) error {
	ctx := context.WithoutCancel(req.Context())
	size, err := p.registry.bytesOf(p.image.Ref, p.digest)
	if err != nil {
		return err
	}
	version, err := p.registry.store.RecordVersion(ctx, catalog.ReadyVersion{
		ImageID: p.image.ID, Version: p.ref, Trigger: catalog.TriggerRegistry, UserID: p.id.User.ID,
		Digest: p.digest.String(), Size: size, At: time.Now(),
	})
	if err == nil {
		p.registry.audit(req, p.id.User.Name, "version pushed", "image", p.image.Ref, "version", version.Name, "digest", version.Digest)
	}
	return err
}

// bufferedResponse keeps an answer back until everything that belongs to it is done.
type bufferedResponse struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header returns the headers to be sent.
func (b *bufferedResponse) Header() http.Header { return b.header }

// WriteHeader keeps the status.
func (b *bufferedResponse) WriteHeader(status int) {
	if b.status == 0 && status >= http.StatusOK {
		b.status = status
	}
}

// Write keeps the body.
func (b *bufferedResponse) Write(p []byte) (int, error) {
	b.WriteHeader(http.StatusOK)
	return b.body.Write(p)
}

func (b *bufferedResponse) sendTo(w http.ResponseWriter) {
	for name, values := range b.header {
		w.Header()[name] = values
	}
	if b.status == 0 {
		b.status = http.StatusOK
	}
	w.WriteHeader(b.status)
	// A failed write is a client that went away.
	_, _ = w.Write(b.body.Bytes())
}
