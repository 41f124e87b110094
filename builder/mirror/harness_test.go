package mirror

import (
	"errors"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/sirupsen/logrus"
)

func TestMain(m *testing.M) {
	logrus.SetLevel(logrus.PanicLevel) // containerd's client tells of each request by it
	os.Exit(m.Run())
}

// remoteRegistry is a registry elsewhere, of which tests say how it fails.
type remoteRegistry struct {
	server *httptest.Server

	mu    sync.Mutex
	asked []string // "GET /v2/…"
	fault func(http.ResponseWriter, *http.Request) bool
}

func newRemote(t *testing.T) *remoteRegistry {
	t.Helper()
	store := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	r := &remoteRegistry{}
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.asked = append(r.asked, req.Method+" "+req.URL.RequestURI())
		fault := r.fault
		r.mu.Unlock()
		if fault == nil || !fault(w, req) {
			store.ServeHTTP(w, req)
		}
	}))
	t.Cleanup(r.server.Close)
	return r
}

// fails has the registry answer by a fault, where that returns true; nil: not any more.
func (r *remoteRegistry) fails(fault func(http.ResponseWriter, *http.Request) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = fault
}

// requests returns what was asked since the last time.
func (r *remoteRegistry) requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := r.asked
	r.asked = nil
	return asked
}

// push stores an image or an index there.
func (r *remoteRegistry) push(t *testing.T, reference string, what any) {
	t.Helper()
	ref, err := name.ParseReference(strings.TrimPrefix(r.server.URL, "http://")+"/"+reference, name.Insecure)
	if err == nil {
		if index, ok := what.(v1.ImageIndex); ok {
			err = remote.WriteIndex(ref, index)
		} else {
			err = remote.Write(ref, what.(v1.Image))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	r.requests()
}

// answering is a fault of all requests; 0 hangs up.
func answering(status int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(status)
		return true
	}
}

// byHost sends requests to the servers that stand for hosts.
type byHost map[string]*remoteRegistry

func (b byHost) RoundTrip(r *http.Request) (*http.Response, error) {
	to := b[r.URL.Host]
	if to == nil {
		return nil, errors.New("no such host")
	}
	u, err := url.Parse(to.server.URL)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = u.Scheme, u.Host
	return http.DefaultTransport.RoundTrip(r)
}

const (
	ghcr    = "ghcr.io"
	recheck = 5 * time.Minute
)

// world is a Mirror and who it asks.
type world struct {
	t      *testing.T
	cfg    Config
	mirror *Mirror
	server *httptest.Server
	remote *remoteRegistry // of ghcr.io

	mu  sync.Mutex
	now time.Time
}

// newWorld makes one, of a configuration that change completes.
func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	w := &world{t: t, remote: newRemote(t), now: time.Date(2026, 5, 5, 12, 0, 0, 0, time.UTC)}
	w.cfg = Config{
		Dir: filepath.Join(t.TempDir(), "mirror"), Registries: []string{ghcr}, MaxBytes: 1 << 20, Recheck: recheck,
		Authorize: func(username, password string) (string, bool) {
			return "ann", username == "build.1" && password == "secret"
		},
		Transport: byHost{ghcr: w.remote}, Now: w.time,
	}
	if change != nil {
		change(&w.cfg)
	}
	w.restart()
	t.Cleanup(func() { w.server.Close() })
	return w
}

// restart opens the directory anew.
func (w *world) restart() {
	w.t.Helper()
	var err error
	if w.mirror, err = New(w.cfg); err != nil {
		w.t.Fatal(err)
	}
	if w.server != nil {
		w.server.Close()
	}
	w.server = httptest.NewServer(w.mirror)
}

func (w *world) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// ask sends a request as a build's; status 0 is an answer that broke off.
func (w *world) ask(method, path string, headers ...string) (status int, body string, header http.Header) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+"/v2/"+path+"?ns="+ghcr, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.SetBasicAuth("build.1", "secret")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req) // which follows and tries again nothing
	if err != nil {
		return 0, "", nil
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, string(text), nil
	}
	return resp.StatusCode, string(text), resp.Header
}

// wants asks for something that must come.
func (w *world) wants(path, content string) {
	w.t.Helper()
	if status, body, _ := w.ask(http.MethodGet, path); status != http.StatusOK || body != content {
		w.t.Fatalf("%s: status %d, %d bytes; want %d bytes", path, status, len(body), len(content))
	}
}

// refused asks for something that must not come.
func (w *world) refused(path string, want int) {
	w.t.Helper()
	if status, _, _ := w.ask(http.MethodGet, path); status != want {
		w.t.Errorf("%s: status %d, want %d", path, status, want)
	}
}

// pull asks for an image as BuildKit does.
func (w *world) pull(repository, tag string, image v1.Image) {
	w.t.Helper()
	if status, _, header := w.ask(http.MethodHead, repository+"/manifests/"+tag); status != http.StatusOK || header.Get("Docker-Content-Digest") != digestOf(w.t, image) {
		w.t.Fatalf("%s:%s is %d, %v; want %s", repository, tag, status, header, digestOf(w.t, image))
	}
	w.pullDigest(repository, image)
}

func (w *world) pullDigest(repository string, image v1.Image) {
	w.t.Helper()
	all := contents(w.t, image)
	for _, path := range slices.Backward(slices.Sorted(maps.Keys(all))) { // the manifest first
		w.wants(repository+"/"+path, all[path])
	}
}

// contents is what an image is made of, by its addresses.
func contents(t *testing.T, image v1.Image) map[string]string {
	t.Helper()
	body, err := image.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"manifests/" + digestOf(t, image): string(body)}
	config, err := image.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	hash, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	all["blobs/"+hash.String()] = string(config)
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range layers {
		content, err := layer.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		all["blobs/"+digestOf(t, layer)] = string(text)
	}
	return all
}

// layerOf is the address of an image's first layer, and its content.
func layerOf(t *testing.T, image v1.Image) (path, content string) {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	path = "blobs/" + digestOf(t, layers[0])
	return path, contents(t, image)[path]
}

func digestOf(t *testing.T, of interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	hash, err := of.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return hash.String()
}

// made is an image of a layer of so many bytes.
func made(t *testing.T, size int64) v1.Image {
	t.Helper()
	image, err := random.Image(size, 1)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func indexOf(images ...v1.Image) v1.ImageIndex {
	var index v1.ImageIndex = empty.Index
	for i, image := range images {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: []string{"amd64", "arm64"}[i]}}})
	}
	return index
}

// files lists what lies in the directory, by the beginning of their names.
func (w *world) files(dir string) []string {
	w.t.Helper()
	entries, err := os.ReadDir(filepath.Join(w.cfg.Dir, dir))
	if err != nil {
		w.t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	slices.Sort(names)
	return names
}
