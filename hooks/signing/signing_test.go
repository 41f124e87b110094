package signing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/catalog/sqlite/sqlitetest"
	"github.com/fandoghpaas/fandogh/hooks/signing"
	"github.com/fandoghpaas/fandogh/internal/attestation"
	"github.com/fandoghpaas/fandogh/internal/sbom"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

const (
	digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	commit = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

// env has a store with an image, and a registry that can be told to fail.
type env struct {
	t        *testing.T
	store    *sqlite.Store
	image    catalog.Image
	keys     signing.Keys
	registry *fakeRegistry
	lister   *fakeLister
	sboms    bool
}

func newEnv(t *testing.T) *env {
	dir := t.TempDir()
	e := &env{t: t, store: sqlitetest.Open(t, dir), registry: &fakeRegistry{attached: map[string][]catalog.Attachment{}}, lister: &fakeLister{}}
	e.keys = signing.Keys{Private: filepath.Join(dir, "signing.key"), Public: filepath.Join(dir, "signing.pub")}
	user, err := e.store.CreateUser(t.Context(), catalog.NewUser{Name: "ann"})
	e.must(err)
	e.image, err = e.store.CreateImage(t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: "app"}, OwnerID: user.ID})
	e.must(err)
	return e
}

func (e *env) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

// built makes a version.
func (e *env) built(version string) catalog.Build {
	e.t.Helper()
	return e.builtAs(catalog.NewBuild{ImageID: e.image.ID, Version: version})
}

func (e *env) builtAs(n catalog.NewBuild) catalog.Build {
	e.t.Helper()
	ctx := e.t.Context()
	n.Trigger, n.Commit = catalog.TriggerPush, commit
	_, err := e.store.QueueBuilds(ctx, []catalog.NewBuild{n})
	e.must(err)
	b, err := e.store.ClaimBuild(ctx, "worker", 100, time.Now(), time.Now().Add(time.Hour))
	e.must(err)
	e.must(e.store.FinishBuild(ctx, b.ID, "worker", catalog.BuildResult{Outcome: catalog.OutcomeBuilt, Digest: digest, EndedAt: time.Now(), Facts: &catalog.BuildFacts{
		Options: catalog.BuildOptions{Labels: "none"}, Dockerfile: "Dockerfile", DockerfileDigest: digest, Secrets: []string{"token"}, Paths: []string{"api"}, SameAs: "v0",
		Bases: []catalog.BaseImage{{Ref: "docker.io/library/alpine:3.20", Platform: "linux/amd64", Digest: digest}},
	}}))
	return b
}

// run works until the test ends or stop is called.
func (e *env) run() (stop func()) {
	s := e.service()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); e.must(<-ended) })
	e.t.Cleanup(stop)
	return stop
}

func (e *env) service(change ...func(*signing.Config)) *signing.Service {
	config := signing.Config{
		Store: e.store, Registry: e.registry, Origins: fakeOrigins{}, Keys: e.keys, Lister: e.lister, SBOMs: e.sboms, Pause: time.Millisecond,
		PublicRegistry: func() string { return "registry.test" }, PublicURL: func() string { return "https://fandogh.test" }, Version: "v1", Logger: hclog.NewNullLogger(),
	}
	for _, c := range change {
		c(&config)
	}
	return signing.New(config)
}

func (e *env) waiting() int {
	e.t.Helper()
	waiting, err := e.store.ListUnattested(e.t.Context(), 0, 0)
	e.must(err)
	return len(waiting)
}

type fakeOrigins struct{}

func (fakeOrigins) Origin(_ context.Context, ref catalog.ImageRef, _, _ string) (catalog.Origin, error) {
	if ref.Name != "app" {
		return catalog.Origin{}, catalog.Errorf(catalog.NotFound, "there is no repository %s", ref)
	}
	return catalog.Origin{Object: commit, Commit: catalog.GitObject{ID: commit}, Tree: catalog.GitObject{ID: strings.Repeat("b", 40)}}, nil
}

type fakeRegistry struct {
	mu       sync.Mutex
	failing  map[string]error // by the version that is told of
	attached map[string][]catalog.Attachment
	calls    int
	deleted  []string // versions, each with its digest
}

// PlatformImages, OpenLayer and Attached have an image of one layer for each of two platforms.
func (r *fakeRegistry) PlatformImages(context.Context, catalog.ImageRef, string) ([]catalog.PlatformImage, error) {
	return []catalog.PlatformImage{
		{Manifest: "sha256:" + strings.Repeat("1", 64), Platform: "linux/amd64", Layers: []string{"amd64"}},
		{Manifest: "sha256:" + strings.Repeat("2", 64), Platform: "linux/arm64", Layers: []string{"arm64"}},
	}, nil
}

func (r *fakeRegistry) OpenLayer(_ context.Context, _ catalog.ImageRef, layer string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(layer)), nil
}

func (r *fakeRegistry) Attached(context.Context, catalog.ImageRef, string, string, string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, a := range r.under("application/vnd.in-toto+json") {
			if !yield(a.Content, nil) {
				return
			}
		}
	}
}

func (r *fakeRegistry) DeleteVersion(_ context.Context, _ catalog.ImageRef, v catalog.Version) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deleted = append(r.deleted, v.Name+" "+v.Digest)
	return nil
}

// fakeLister lists what the layers have in them, and can be told to fail.
type fakeLister struct {
	mu      sync.Mutex
	failing map[string]error // by the first layer
	calls   int
}

func (l *fakeLister) List(_ context.Context, image sbom.Image) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	layer, err := image.Layers[0]()
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(layer)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `{"name":%q}`, image.Repository+" "+string(text)), l.failing[string(text)]
}

func (l *fakeLister) set(failing map[string]error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failing = failing
}

func (r *fakeRegistry) Attach(_ context.Context, _ catalog.Image, _ string, all ...catalog.Attachment) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	s, _ := open(all)
	for version, err := range r.failing {
		if strings.Contains(string(s.Predicate), `"version":"`+version+`"`) {
			return err
		}
	}
	for _, a := range all {
		r.attached[a.Tag+a.ArtifactType] = append(r.attached[a.Tag+a.ArtifactType], a)
	}
	return nil
}

func (r *fakeRegistry) set(failing map[string]error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failing = failing
}

func (r *fakeRegistry) under(tag string) []catalog.Attachment {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.attached[tag]
}

// A version that can't be attested keeps no other waiting, and is attested when that can be.
func TestAttestationIsTriedAgain(t *testing.T) {
	e := newEnv(t)
	e.registry.set(map[string]error{"bad": errors.New("the disk is full"), "gone": catalog.Errorf(catalog.NotFound, "it is gone")})
	e.built("bad")
	e.built("gone")
	e.run()
	e.built("good")
	testkit.Eventually(t, "the others are attested", func() bool { return e.waiting() == 1 && len(e.registry.under("att")) == 1 })
	e.registry.set(nil)
	testkit.Eventually(t, "all are attested", func() bool { return e.waiting() == 0 })
	if n := len(e.registry.under("sig")); n != 2 {
		t.Errorf("%d signatures, want 2", n)
	}
}

// What a stop left is done at the next start, and gives the same when it was done already.
func TestWhatWasLeftIsAttested(t *testing.T) {
	e := newEnv(t)
	e.run()()
	e.built("1.0")
	stop := e.run()
	testkit.Eventually(t, "it is attested", func() bool { return e.waiting() == 0 })
	stop()
	first, err := os.ReadFile(e.keys.Private)
	e.must(err)
	key, err := attestation.ParsePrivateKey(first)
	e.must(err)
	s, err := open(e.registry.under("att"), key.Public())
	e.must(err)
	if !s.IsAbout(digest) || !strings.Contains(string(s.Predicate), `"uri":"pkg:docker/alpine@3.20?platform=linux%2Famd64"`) {
		t.Errorf("the statement is %s", s.Predicate)
	}
}

// A version of an image without a repository of its own comes from that of another, of a tag with another name.
func TestProvenanceOfOneOfSeveralImages(t *testing.T) {
	e := newEnv(t)
	api, err := e.store.CreateImage(t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: "api"}, OwnerID: e.image.OwnerID, SourceID: e.image.ID})
	e.must(err)
	e.builtAs(catalog.NewBuild{ImageID: api.ID, SourceID: e.image.ID, Version: "v1_5", Tag: "api/v1+5"})
	e.run()
	testkit.Eventually(t, "it is attested", func() bool { return e.waiting() == 0 })
	s, err := open(e.registry.under("att"))
	e.must(err)
	for _, want := range []string{
		`"image":"ann/api","version":"v1_5","repository":"ann/app","tag":"api/v1+5"`, `"uri":"git+https://fandogh.test/ann/app@refs/tags/api/v1+5"`,
		`"paths":["api"]`, `"sameAs":"v0"`,
	} {
		if !strings.Contains(string(s.Predicate), want) {
			t.Errorf("there is no %s in %s", want, s.Predicate)
		}
	}
}

// Where every version gets its SBOMs, one that can't be listed now keeps no other waiting, and one that never can be is given up.
func TestSBOMsOfEveryVersion(t *testing.T) {
	e := newEnv(t)
	e.sboms = true
	e.lister.set(map[string]error{"amd64": errors.New("the disk is full"), "arm64": catalog.Errorf(catalog.Invalid, "a layer is no tar")})
	e.built("1.0")
	e.run()
	testkit.Eventually(t, "it was tried", func() bool { e.lister.mu.Lock(); defer e.lister.mu.Unlock(); return e.lister.calls > 1 })
	e.lister.mu.Lock() // the next list takes long
	e.built("1.1")
	testkit.Eventually(t, "both are signed", func() bool { return len(e.registry.under("sig")) == 2 })
	e.built("1.2")
	testkit.Eventually(t, "the third is signed", func() bool { return len(e.registry.under("sig")) == 3 })
	e.lister.mu.Unlock()
	if e.waiting() != 3 {
		t.Errorf("%d wait, want 3", e.waiting())
	}
	e.lister.set(map[string]error{"arm64": catalog.Errorf(catalog.Invalid, "a layer is no tar")})
	testkit.Eventually(t, "all is said", func() bool { return e.waiting() == 0 })
	if n := len(e.registry.under("att")); n != 4 { // of all versions, which are one image: their provenances, and one SBOM
		t.Errorf("%d statements, want 4", n)
	}
}

// Who asks gets the list for a platform, made once; what others have attached is not it.
func TestSBOMIsMadeOnce(t *testing.T) {
	e := newEnv(t)
	e.built("1.0")
	s, ctx := e.service(), t.Context()
	_, err := e.keys.Current() // makes it
	e.must(err)
	version, err := e.store.Version(ctx, e.image.ID, "1.0")
	e.must(err)
	full := e.service(func(c *signing.Config) {
		c.Room = func() error { return catalog.Errorf(catalog.Unavailable, "the disk is nearly full") }
	})
	if _, err := full.SBOM(ctx, e.image, version, "linux/arm64"); catalog.CodeOf(err) != catalog.Unavailable || e.lister.calls > 0 {
		t.Errorf("on a full disk: %v", err)
	}
	for _, others := range []string{"{}", e.forged(`{"name":"forged"}`)} {
		e.must(e.registry.Attach(ctx, e.image, digest, catalog.Attachment{ArtifactType: "application/vnd.in-toto+json", Content: []byte(others)}))
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			text, err := s.SBOM(ctx, e.image, version, "linux/arm64")
			if want := `{"name":"registry.test/ann/app arm64"}`; err != nil || string(text) != want {
				t.Errorf("got %s, %v, want %s", text, err, want)
			}
		})
	}
	group.Wait()
	if e.lister.calls != 1 {
		t.Errorf("it was made %d times", e.lister.calls)
	}
	e.lister.set(map[string]error{"amd64": catalog.Errorf(catalog.Invalid, "a layer is no tar")})
	for range 2 {
		if _, err := s.SBOM(ctx, e.image, version, "linux/amd64"); catalog.CodeOf(err) != catalog.Invalid || e.lister.calls != 2 {
			t.Errorf("after %d calls: %v", e.lister.calls, err)
		}
	}
	for platform, want := range map[string]catalog.Code{"": catalog.Invalid, "linux/s390x": catalog.NotFound} {
		if _, err := s.SBOM(ctx, e.image, version, platform); catalog.CodeOf(err) != want {
			t.Errorf("for %q: %v, want %s", platform, err, want)
		}
	}
	if _, err := s.SBOM(ctx, e.image, catalog.Version{Name: "failed"}, ""); catalog.CodeOf(err) != catalog.Conflict {
		t.Errorf("of a version without image: %v", err)
	}
}

// forged returns a statement that another key has signed.
func (e *env) forged(document string) string {
	text, err := attestation.NewKey()
	e.must(err)
	key, err := attestation.ParsePrivateKey(text)
	e.must(err)
	s, err := attestation.NewStatement("registry.test/ann/app", "sha256:"+strings.Repeat("2", 64), attestation.SPDXPredicate, json.RawMessage(document))
	e.must(err)
	envelope, err := attestation.Seal(key, s)
	e.must(err)
	content, err := json.Marshal(envelope)
	e.must(err)
	return string(content)
}

func TestKeysAreRotated(t *testing.T) {
	e := newEnv(t)
	if _, err := e.keys.Known(); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("before the first start: %v", err)
	}
	old, err := e.keys.Current()
	e.must(err)
	info, err := os.Stat(e.keys.Private)
	e.must(err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %s", info.Mode())
	}
	next, err := e.keys.Rotate()
	e.must(err)
	current, err := e.keys.Current()
	e.must(err)
	known, err := e.keys.ListSigningKeys()
	e.must(err)
	if current.Public().Fingerprint != next.Fingerprint || len(known) != 2 || known[0].Fingerprint != next.Fingerprint || known[1].Fingerprint != old.Public().Fingerprint {
		t.Errorf("in use is %s of %+v", current.Public().Fingerprint, known)
	}
	for fingerprint, code := range map[string]catalog.Code{next.Fingerprint: catalog.Conflict, "SHA256:none": catalog.NotFound, old.Public().Fingerprint: ""} {
		if err := e.keys.Forget(fingerprint); catalog.CodeOf(err) != code {
			t.Errorf("forget %s: %v", fingerprint, err)
		}
	}

	// A given key is used as it is, and never made.
	given := signing.Keys{Private: filepath.Join(t.TempDir(), "given"), Public: e.keys.Public, Given: true}
	if _, err := given.Current(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a given key that is not there: %v", err)
	}
	e.must(os.WriteFile(given.Private, []byte("nothing"), 0o600))
	if _, err := given.Current(); err == nil || !strings.Contains(err.Error(), "openssl genpkey") {
		t.Errorf("a given key that is none: %v", err)
	}
	text, err := attestation.NewKey()
	e.must(err)
	e.must(os.WriteFile(given.Private, text, 0o600))
	operators, err := given.Current()
	e.must(err)
	if known, err := given.Known(); err != nil || len(known) != 2 || known[0].Fingerprint != operators.Public().Fingerprint {
		t.Errorf("known are %+v, %v", known, err)
	}
}

// open returns the statement among attachments, by one of the keys, or by any for none.
func open(all []catalog.Attachment, keys ...attestation.PublicKey) (s attestation.Statement, err error) {
	for _, a := range all {
		if a.Tag != "att" {
			continue
		}
		var e attestation.Envelope
		if err := json.Unmarshal(a.Content, &e); err != nil {
			return s, err
		}
		if len(keys) > 0 {
			s, _, err = e.Open(keys)
			return s, err
		}
		return s, json.Unmarshal(e.Payload, &s)
	}
	return s, errors.New("there is no attestation")
}
