//go:build linux

package buildkitd

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	images "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/builder/mirror"
	"github.com/fandoghpaas/fandogh/catalog"
)

// privateMirror is a registry on an address that builds may not reach.
type privateMirror struct {
	server *httptest.Server
	mu     sync.Mutex
	asked  []string
	status int // of all answers; 0: those of the registry
}

func newPrivateMirror(t *testing.T) *privateMirror {
	t.Helper()
	store := images.New(images.Logger(log.New(io.Discard, "", 0)))
	p := &privateMirror{}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked = append(p.asked, r.URL.Path)
		status := p.status
		p.mu.Unlock()
		if status != 0 {
			w.WriteHeader(status)
			return
		}
		store.ServeHTTP(w, r)
	}))
	t.Cleanup(p.server.Close)
	return p
}

func (p *privateMirror) host() string { return strings.TrimPrefix(p.server.URL, "http://") }

// push stores an image with one file, named as the image's tag.
func (p *privateMirror) push(t *testing.T, reference string) {
	t.Helper()
	ref, err := name.NewTag(p.host()+"/"+reference, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	err = w.WriteHeader(&tar.Header{Name: "from-" + ref.TagStr(), Typeflag: tar.TypeReg, Size: 2, Mode: 0o644, ModTime: time.Unix(1, 0)})
	if err == nil {
		_, err = io.WriteString(w, "it")
	}
	if err == nil {
		err = w.Close()
	}
	var image v1.Image
	if err == nil {
		image, err = mutate.ConfigFile(mutate.MediaType(empty.Image, types.OCIManifestSchema1), &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH})
	}
	var packed v1.Layer
	if err == nil {
		packed, err = tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil }, tarball.WithMediaType(types.OCILayer))
	}
	if err == nil {
		image, err = mutate.Append(mutate.ConfigMediaType(image, types.OCIConfigJSON), mutate.Addendum{Layer: packed, MediaType: types.OCILayer})
	}
	if err == nil {
		err = remote.Write(ref, image)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// wasAsked reports whether a path was asked for, since the last time.
func (p *privateMirror) wasAsked(part string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := strings.Join(p.asked, "\n")
	p.asked = nil
	return strings.Contains(asked, part)
}

// mirroring runs a buildkitd whose registry is a Mirror, too, and makes env's Solver use it.
func mirroring(t *testing.T, cfg mirror.Config, allow []string, frontends ...string) *mirror.Mirror {
	t.Helper()
	own, err := url.Parse("http://" + env.Registry.Host())
	if err != nil {
		t.Fatal(err)
	}
	registry := httputil.NewSingleHostReverseProxy(own)
	var m *mirror.Mirror
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.Serves(mirror.RegistryOf(r)) {
			m.ServeHTTP(w, r)
			return
		}
		registry.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	managed := managerConfig(t.TempDir(), env.Registry)
	managed.RegistryHost, managed.Mirrored, managed.Frontends = strings.TrimPrefix(server.URL, "http://"), mirror.Mirrored(cfg), frontends
	managed.Allow = append(managed.Allow, allow...)
	manager := newManager(t, managed)
	cfg.Dir, cfg.Refuses, cfg.Logger = t.TempDir(), manager.Refuses, buildkittest.Logger("mirror")
	cfg.Authorize = func(username, password string) (string, bool) {
		return username, username != "" && username == password
	}
	if m, err = mirror.New(cfg); err != nil {
		t.Fatal(err)
	}
	buildkittest.RunReady(t, manager)
	solving := solverConfig(manager, env.Registry)
	solving.RegistryHost, solving.Frontends = managed.RegistryHost, frontends
	before := env.Solver
	env.Solver = newSolver(t, solving)
	t.Cleanup(func() { env.Solver = before })
	return m
}

func TestBasesByMirrors(t *testing.T) {
	const elsewhere, frontend = "images.invalid", "images.invalid/tools/frontend:1"
	dead, inside := newPrivateMirror(t), newPrivateMirror(t)
	dead.status = http.StatusServiceUnavailable
	inside.push(t, "a/b:1")
	inside.push(t, "a/b:2")
	inside.push(t, "library/busybox:1")
	mirroring(t, mirror.Config{
		Registries: []string{elsewhere, "docker.io"}, MaxBytes: 1 << 20, // and no Recheck: each build asks
		Mirrors: map[string][]string{elsewhere: {dead.server.URL, inside.server.URL}, "docker.io": {inside.server.URL}},
	}, nil, frontend)
	build := func(version, dockerfile string) builder.SolveRequest {
		return env.Request("ann", "by-mirrors", version, buildkittest.NewTree(map[string]string{"Dockerfile": dockerfile}))
	}

	fromTag := build("1.0", "FROM "+elsewhere+"/a/b:1\nCOPY --from="+elsewhere+"/a/b:2 /from-2 /copied\n")
	env.Solve(t, fromTag)
	if files := env.ImageFiles(t, fromTag); files["from-1"] != "it" || files["copied"] != "it" {
		t.Errorf("built %v", files)
	}
	// For one image or the other: a mirror that failed just now is asked after others.
	if !dead.wasAsked("/a/b/manifests/") || !inside.wasAsked("/a/b/manifests/2") {
		t.Error("the mirrors were not asked in turn")
	}
	hub := build("1.1", "FROM busybox:1\nCOPY Dockerfile /\n")
	env.Solve(t, hub)
	if files := env.ImageFiles(t, hub); files["from-1"] != "it" {
		t.Errorf("built %v", files)
	}
	failure, _ := env.SolveError(t, build("1.2", "# syntax="+frontend+"\nFROM scratch\nCOPY Dockerfile /\n"))
	if !inside.wasAsked("/tools/frontend/manifests/1") {
		t.Errorf("no mirror was asked for a frontend: %s", failure.Message)
	}

	// What is a mirror for FROM is closed to all else that a build does.
	failure, log := env.SolveError(t, build("1.3", "FROM scratch\nADD "+inside.server.URL+"/v2/ /x\n"))
	if failure.Outcome != catalog.OutcomeUserError || !strings.Contains(failure.Message, inside.host()) {
		t.Errorf("ADD: %s: %s\n%s", failure.Outcome, failure.Message, log)
	}
	_, port, _ := strings.Cut(inside.host(), ":")
	inside.wasAsked("")
	step := env.Request("ann", "by-mirrors", "1.4", buildkittest.NewTree(map[string]string{
		"Dockerfile": buildkittest.BusyboxImage + "RUN nc -w 2 127.0.0.1 " + port + " </dev/null; nc -w 2 " + buildkittest.OwnAddress(t) + " " + port + " </dev/null; echo tried\n"}).WithBusybox())
	env.Solve(t, step)
	if inside.wasAsked("/") {
		t.Error("a step reached the mirror")
	}

	// With all of them down, builds go on with what is kept, and say of the rest that nobody responds.
	inside.server.Close()
	again := build("2.0", "FROM "+elsewhere+"/a/b:1\nCOPY --from="+elsewhere+"/a/b:2 /from-2 /copied-again\n")
	again.Options.Pull = true
	env.Solve(t, again)
	failure, log = env.SolveError(t, build("2.1", "FROM "+elsewhere+"/a/c:1\nCOPY Dockerfile /\n"))
	if want := "the registry " + elsewhere + ", when asked for a/c:1, did not respond"; failure.Outcome != catalog.OutcomeInfrastructure || !strings.Contains(failure.Message, want) {
		t.Errorf("%s: %s, want %q\n%s", failure.Outcome, failure.Message, want, log)
	}
}

// What is not for anyone, BuildKit gets from the registry itself, as whoever it is there; nothing of it is kept.
func TestPrivateBasesPassTheMirror(t *testing.T) {
	inside := newPrivateMirror(t)
	inside.push(t, "a/b:1")
	host := env.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.UserAgent(), "buildkit/") { // in place of a credential
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inside.server.Config.Handler.ServeHTTP(w, r)
	}))
	m := mirroring(t, mirror.Config{Registries: []string{host}, MaxBytes: 1 << 20, Recheck: time.Hour}, []string{host})
	r := env.Request("ann", "private-base", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": "FROM " + host + "/a/b:1\nCOPY Dockerfile /\n"}))
	env.Solve(t, r)
	if files := env.ImageFiles(t, r); files["from-1"] != "it" {
		t.Errorf("built %v", files)
	}
	if kept, err := m.ListMirrored(t.Context()); err != nil || len(kept) > 0 {
		t.Errorf("%+v is kept, %v", kept, err)
	}
	failure, _ := env.SolveError(t, env.Request("ann", "private-base", "1.1", buildkittest.NewTree(map[string]string{"Dockerfile": "FROM " + host + "/a/c:1\nCOPY Dockerfile /\n"})))
	if failure.Outcome != catalog.OutcomeUserError || !strings.Contains(failure.Message, "the registry "+host+", when asked for a/c:1, responded 403") {
		t.Errorf("%s: %s", failure.Outcome, failure.Message)
	}
}
