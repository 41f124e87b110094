package mirror

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/fandoghpaas/fandogh/internal/bounded"
)

// maxManifest bounds a manifest, in bytes.
const maxManifest = 4 << 20

// manifest is a manifest or an index, with the content of its digest.
type manifest struct {
	digest    digest.Digest
	mediaType string
	body      []byte
}

// errResting stands for the answer of a host that failed just now.
var errResting = errors.New("it failed just now, and is not asked again yet")

// manifest finds what a reference names: what is kept if it is new enough, else what a registry says. When none
// says anything, what is kept is good enough.
func (m *Mirror) manifest(ctx context.Context, ref reference) (manifest, error) {
	found, checked, ok := m.kept(ref)
	if !ok || m.now().Sub(checked) >= m.cfg.Recheck {
		// Many builds begin with one base. Who goes away leaves the answer to the others.
		answer, err, _ := m.asking.Do(ref.String(), func() (any, error) { return m.ask(context.WithoutCancel(ctx), ref) })
		if err != nil {
			return manifest{}, err
		}
		found, _ = answer.(manifest)
	}
	if m.keeps(ref.registry) {
		m.store.use(ref, found.digest)
	}
	return found, nil
}

// kept looks at what is kept, and since when it is known to be so.
func (m *Mirror) kept(ref reference) (found manifest, checked time.Time, ok bool) {
	if !m.keeps(ref.registry) {
		return manifest{}, time.Time{}, false
	}
	return m.store.manifest(ref)
}

// ask asks a registry's hosts in turn. The registry itself is the last, and its word is what counts.
func (m *Mirror) ask(ctx context.Context, ref reference) (manifest, error) {
	kept, _, has := m.kept(ref)
	var last error
	for _, u := range m.hosts[ref.registry] {
		if has && u.resting(m.now()) {
			last = errResting
			continue
		}
		found, err := m.askOne(ctx, u, ref, kept, has)
		u.note(err, m.now())
		if err == nil {
			m.keep(ref, found)
			return found, nil
		}
		m.log.Debug("a registry gave nothing", "host", u.name, "for", ref, "error", err)
		last = err
	}
	if !has {
		return manifest{}, last
	}
	switch v := verdictOf(last); {
	case v == denied:
		m.store.forget(ref.registry, ref.repository)
		return manifest{}, last
	case v == absent && ref.tag != "":
		m.store.forgetTag(ref)
		return manifest{}, last
	case v != absent && !errors.Is(last, errResting): // what a digest names may be gone from its registry
		m.log.Warn("a registry can't be asked; builds go on with what is kept", "for", ref, "error", last)
	}
	return kept, nil
}

// askOne asks one host. A question is cheaper than an answer: registries limit those, so what is kept is not
// asked for again when it is still the same.
func (m *Mirror) askOne(ctx context.Context, u *upstream, ref reference, kept manifest, has bool) (manifest, error) {
	timeout := answerTimeout
	if has {
		timeout = keptTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	d, err := u.resolve(ctx, ref.String())
	if err != nil {
		return manifest{}, err
	}
	if has && d.Digest == kept.digest {
		return kept, nil
	}
	if same, _, ok := m.kept(reference{registry: ref.registry, repository: ref.repository, digest: d.Digest}); ok {
		return same, nil
	}
	content, err := u.fetch(ctx, ref.String(), d)
	if err != nil {
		return manifest{}, err
	}
	defer content.Close() //nolint:errcheck // only read
	body, err := bounded.ReadAll(content, maxManifest)
	if err != nil {
		return manifest{}, err
	}
	if got := d.Digest.Algorithm().FromBytes(body); got != d.Digest {
		return manifest{}, fmt.Errorf("%s sent %s for manifest %s", u.name, got, d.Digest)
	}
	return manifest{d.Digest, d.MediaType, body}, nil
}

// keep keeps an answer.
func (m *Mirror) keep(ref reference, found manifest) {
	if !m.keeps(ref.registry) {
		return
	}
	if err := m.store.keep(ref, found); err != nil {
		m.log.Warn("failed to keep a manifest", "of", ref, "error", err)
	}
}
