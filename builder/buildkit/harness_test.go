//go:build linux

package buildkit

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // git's
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/hashicorp/go-hclog"
	"github.com/sirupsen/logrus"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkit/dockerfile"
	"github.com/fandoghpaas/fandogh/catalog"
)

// shared is the one buildkitd and the one registry of this test binary.
var shared struct {
	manager  *Manager
	registry *testRegistry
	solver   *Solver
}

func TestMain(m *testing.M) {
	dockerfile.Main()
	if dir := os.Getenv(managerChildEnv); dir != "" {
		os.Exit(runManagerChild(dir))
	}
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "fandogh-buildkit")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	registry, err := newTestRegistry(filepath.Join(dir, "registry"))
	if err != nil {
		return 1, err
	}
	defer registry.server.Close()
	manager, err := NewManager(managerConfig(filepath.Join(dir, "buildkit"), registry))
	if err != nil {
		return 1, err
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- manager.Run(ctx) }()
	defer func() {
		stop()
		if runErr := <-ended; err == nil {
			err = runErr
		}
	}()
	readyCtx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := manager.Ready(readyCtx); err != nil {
		stop()
		return 1, fmt.Errorf("buildkitd did not become ready: %w", err)
	}
	shared.manager, shared.registry = manager, registry
	config := solverConfig(manager, registry)
	config.TimesDir = filepath.Join(dir, "times")
	if shared.solver, err = New(config); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// publicName is what users call the registry; nothing resolves it.
const publicName = "images.test"

// What the build cache may take and must leave, in bytes.
const sharedKeep, sharedFree = 20 << 30, 1 << 30

func managerConfig(dir string, registry *testRegistry) ManagerConfig {
	return ManagerConfig{
		Dir: dir, Binary: testTool("buildkitd"),
		RegistryHost: registry.host(), RegistryAliases: []string{publicName}, PlainHTTP: true, Logger: testLogger("buildkitd"),
		KeepBytes: sharedKeep, Disk: &Disk{Dir: os.TempDir(), Free: sharedFree},
	}
}

func solverConfig(manager *Manager, registry *testRegistry) Config {
	return Config{
		Addresses:    func() []string { return []string{manager.Address()} },
		RegistryHost: registry.host(), RegistryAliases: []string{publicName}, PlainHTTP: true, Logger: testLogger("solver"),
	}
}

// testLogger is quiet unless FANDOGH_TEST_LOG names a level.
func testLogger(name string) hclog.Logger {
	level := hclog.LevelFromString(os.Getenv("FANDOGH_TEST_LOG"))
	if level == hclog.NoLevel {
		level = hclog.Off
	}
	return hclog.New(&hclog.LoggerOptions{Name: name, Level: level, Output: os.Stderr})
}

// testTool finds a program that `make test` builds. A missing one is a failure:
// these tests have no meaning without the real BuildKit.
func testTool(name string) string {
	dirs := []string{os.Getenv("FANDOGH_TEST_TOOLS"), filepath.Join("..", "..", "bin")}
	for _, dir := range dirs {
		if path, err := exec.LookPath(filepath.Join(dir, name)); dir != "" && err == nil {
			return path
		}
	}
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	fmt.Fprintf(os.Stderr, "%s is missing: run `make test`, which builds it, or set FANDOGH_TEST_TOOLS to its directory\n", name)
	os.Exit(1)
	return ""
}

// testRegistry is a real registry on a loopback port. Its accounts are name and
// password being equal; a name is also the one namespace it may use.
type testRegistry struct {
	server *httptest.Server
	app    http.Handler
	mu     sync.Mutex
	fail   bool // answers 403
}

func newTestRegistry(dir string) (*testRegistry, error) {
	config := &configuration.Configuration{Storage: configuration.Storage{"filesystem": {"rootdirectory": dir}}}
	config.HTTP.Secret = "tests need no secret"
	logrus.SetLevel(logrus.PanicLevel) // the registry logs every request through it
	r := &testRegistry{app: handlers.NewApp(context.Background(), config)}
	r.server = httptest.NewUnstartedServer(http.HandlerFunc(r.serve))
	r.server.Start()
	return r, nil
}

func (r *testRegistry) host() string { return strings.TrimPrefix(r.server.URL, "http://") }

func (r *testRegistry) setFailing(is bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = is
}

func (r *testRegistry) serve(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	fail := r.fail
	r.mu.Unlock()
	if fail {
		w.WriteHeader(http.StatusForbidden) // what clients don't try again
		return
	}
	user, password, ok := req.BasicAuth()
	if !ok || user != password {
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if rest := strings.TrimPrefix(req.URL.Path, "/v2/"); rest != "" && !strings.HasPrefix(rest, user+"/") {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	r.app.ServeHTTP(w, req)
}

// get fetches a manifest or blob with the namespace's account.
func (r *testRegistry) get(t *testing.T, namespace, path string) []byte {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, r.server.URL+"/v2/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(namespace, namespace)
	req.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read only
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v: %s", path, res.Status, err, body)
	}
	return body
}

// testTree is a commit in memory. It keeps the contract of catalog.Tree: files say what
// they hold, directories are 0755.
type testTree struct {
	fstest.MapFS
	opens  map[string]error // what Open of a name fails with
	commit time.Time
}

var testEpoch = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

func newTree(files map[string]string) *testTree {
	t := &testTree{MapFS: fstest.MapFS{}, commit: testEpoch}
	for name, content := range files {
		t.add(name, content, 0o644)
	}
	return t
}

func (t *testTree) add(name, content string, mode fs.FileMode) *testTree {
	t.MapFS[name] = &fstest.MapFile{Data: []byte(content), Mode: mode, Sys: blobOf(content)}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		t.MapFS[dir] = &fstest.MapFile{Mode: fs.ModeDir | 0o755}
	}
	return t
}

func blobOf(content string) catalog.BlobID {
	return catalog.BlobID(fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content)))) //nolint:gosec // git's
}

// withBusybox adds the one program that images in these tests are made of.
func (t *testTree) withBusybox() *testTree {
	data, err := os.ReadFile("/bin/busybox")
	if err != nil {
		fmt.Fprintln(os.Stderr, "busybox is missing: install the package busybox-static")
		os.Exit(1)
	}
	return t.add("busybox", string(data), 0o755)
}

func (t *testTree) Open(name string) (fs.File, error) {
	if err := t.opens[name]; err != nil {
		return nil, err
	}
	return t.MapFS.Open(name)
}

// Sub implements fs.SubFS, with links that end at dir.
func (t *testTree) Sub(dir string) (fs.FS, error) {
	if dir == "." {
		return t, nil
	}
	sub := fstest.MapFS{}
	for name, file := range t.MapFS {
		if rest, ok := strings.CutPrefix(name, dir+"/"); ok {
			sub[rest] = file
		}
	}
	return sub, nil
}

func (t *testTree) Whole() catalog.Files  { return t }
func (t *testTree) CommitTime() time.Time { return t.commit }
func (t *testTree) Close() error          { return nil }

// busyboxImage begins a Dockerfile whose RUN steps have a shell.
const busyboxImage = `FROM scratch
COPY busybox /bin/busybox
SHELL ["/bin/busybox", "sh", "-c"]
ENV PATH=/bin
`

// request asks for one version; the credential is the namespace's.
func request(namespace, image, version string, tree catalog.Tree) builder.SolveRequest {
	ref := catalog.ImageRef{Namespace: namespace, Name: image}
	return builder.SolveRequest{
		Build:       catalog.Build{Image: ref, Version: version},
		Tree:        tree,
		Destination: shared.registry.host() + "/" + ref.Repository() + ":" + version,
		Credential:  builder.Credential{Username: namespace, Password: namespace},
	}
}

// recorder keeps what a solve reported.
type recorder struct {
	mu     sync.Mutex
	lines  []string
	steps  map[string]catalog.Step
	notify chan string // every line too, when not nil
}

func (r *recorder) event(e builder.Event) {
	r.mu.Lock()
	if e.Line != "" {
		r.lines = append(r.lines, e.Line)
	}
	if e.Step != nil {
		if r.steps == nil {
			r.steps = map[string]catalog.Step{}
		}
		r.steps[e.Step.Digest] = *e.Step
	}
	r.mu.Unlock()
	if r.notify != nil && e.Line != "" {
		r.notify <- e.Line
	}
}

func (r *recorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

func solve(t *testing.T, r builder.SolveRequest) (builder.SolveResult, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	rec := &recorder{}
	result, err := shared.solver.Solve(ctx, r, rec.event)
	if err != nil {
		t.Fatalf("solve: %v\n%s", err, rec.text())
	}
	return result, rec.text()
}

// imageFile reads a file out of a pushed image.
func imageFile(t *testing.T, r builder.SolveRequest, name string) string {
	t.Helper()
	content, ok := imageFiles(t, r)[name]
	if !ok {
		t.Fatalf("%s has no file %s", r.Destination, name)
	}
	return content
}

// imageFiles reads all files of a pushed image that removes none; the last layer
// that holds one counts.
func imageFiles(t *testing.T, r builder.SolveRequest) map[string]string {
	t.Helper()
	repository := r.Build.Image.Repository()
	var manifest v1.Manifest
	if err := json.Unmarshal(shared.registry.get(t, r.Build.Image.Namespace, repository+"/manifests/"+r.Build.Version), &manifest); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, layer := range manifest.Layers {
		blob := shared.registry.get(t, r.Build.Image.Namespace, repository+"/blobs/"+layer.Digest.String())
		for header, content := range tarFiles(t, bytes.NewReader(blob)) {
			files[header.Name] = content
		}
	}
	return files
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}
