package registry_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/account"
	"github.com/fandoghpaas/fandogh/catalog/registry"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/catalog/sqlite/sqlitetest"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

const password = "correct horse battery"

// env is a registry over a real store, with users alice and bob, and what
// drives it from outside.
type env struct {
	t        testing.TB
	store    *sqlite.Store
	accounts *account.Service
	config   registry.Config
	registry *registry.Registry
	host     string
	dir      string
	log      testkit.Buffer
	alice    catalog.User
}

func newEnv(t testing.TB) *env {
	t.Helper()
	// A directory whose name is a pattern.
	w := &env{t: t, dir: filepath.Join(t.TempDir(), "data[1]")}
	err := os.Mkdir(w.dir, 0o700)
	w.must(err)
	w.store = sqlitetest.Open(t, w.dir)
	w.accounts = account.New(account.Config{Users: w.store})
	w.alice, err = w.accounts.CreateUser(t.Context(), "alice", password, false)
	w.must(err)
	_, err = w.accounts.CreateUser(t.Context(), "bob", password, false)
	w.must(err)
	w.config = registry.Config{Dir: filepath.Join(w.dir, "registry"), Store: w.store, Auth: w.accounts, Secret: []byte("a secret of tests"), CacheTags: []string{"buildcache*"}, Logger: hclog.New(&hclog.LoggerOptions{Output: &w.log})}
	w.registry, err = registry.New(w.config)
	w.must(err)
	t.Cleanup(func() { w.must(w.registry.Close()) })
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) { w.registry.ServeHTTP(rw, req) }))
	t.Cleanup(server.Close)
	w.host = strings.TrimPrefix(server.URL, "http://")
	return w
}

// restart closes the registry and opens it anew.
func (e *env) restart() {
	e.t.Helper()
	e.must(e.registry.Close())
	var err error
	e.registry, err = registry.New(e.config)
	e.must(err)
}

func (e *env) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

// image makes an image in the catalog.
func (e *env) image(namespace, name string) catalog.Image {
	e.t.Helper()
	image, err := e.store.CreateImage(e.t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: namespace, Name: name}, OwnerID: e.alice.ID})
	e.must(err)
	return image
}

// start begins a build of a version and returns it with its credential.
func (e *env) start(image catalog.Image, version string) (build catalog.Build, creds string) {
	e.t.Helper()
	_, err := e.store.QueueBuilds(e.t.Context(), []catalog.NewBuild{{ImageID: image.ID, Version: version, Trigger: catalog.TriggerPush,
		Commit: strings.Repeat("ab", 20), UserID: e.alice.ID}})
	e.must(err)
	build, err = e.store.ClaimBuild(e.t.Context(), "test", math.MaxInt, time.Now().Add(time.Second), time.Now().Add(time.Hour))
	e.must(err)
	username, secret, revoke := e.registry.Grants.Issue(catalog.BuildGrant{BuildID: build.ID, Image: image.Ref, Version: version})
	e.t.Cleanup(revoke)
	return build, username + ":" + secret
}

func (e *env) finish(build catalog.Build, digest string) {
	e.t.Helper()
	e.must(e.store.FinishBuild(e.t.Context(), build.ID, "test", catalog.BuildResult{Outcome: catalog.OutcomeBuilt, Digest: digest, Size: 1, EndedAt: time.Now()}))
}

// built pushes a new image as a build does and returns its digest.
func (e *env) built(image catalog.Image, version string) string {
	e.t.Helper()
	build, creds := e.start(image, version)
	digest := e.push(e.archive(), image.Ref.Repository()+":"+version, creds)
	e.finish(build, digest)
	return digest
}

// archive makes a new one-layer image and returns its file.
func (e *env) archive() string {
	e.t.Helper()
	var layer bytes.Buffer
	content := []byte(rand.Text())
	writer := tar.NewWriter(&layer)
	e.must(writer.WriteHeader(&tar.Header{Name: "hello", Mode: 0o644, Size: int64(len(content))}))
	_, err := writer.Write(content)
	e.must(err)
	e.must(writer.Close())
	base := filepath.Join(e.t.TempDir(), "layer")
	e.must(os.WriteFile(base+".tar", layer.Bytes(), 0o600))
	e.run("crane", "append", "--oci-empty-base", "-f", base+".tar", "-t", "test:1", "-o", base+"-image.tar")
	return base + "-image.tar"
}

func (e *env) push(archive, reference, creds string) (digest string) {
	e.t.Helper()
	file := filepath.Join(e.t.TempDir(), "digest")
	e.run("skopeo", "copy", "--dest-tls-verify=false", "--dest-creds", creds, "--digestfile", file, "docker-archive:"+archive, "docker://"+e.host+"/"+reference)
	out, err := os.ReadFile(file)
	e.must(err)
	return strings.TrimSpace(string(out))
}

func (e *env) run(tool string, args ...string) string {
	e.t.Helper()
	out, err := e.try(tool, args...)
	if err != nil {
		e.t.Fatalf("%s %s: %v\n%s", tool, strings.Join(args, " "), err, out)
	}
	return out
}

func (e *env) try(tool string, args ...string) (string, error) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), time.Minute)
	defer cancel()
	if tool == "skopeo" {
		args = append([]string{"--insecure-policy"}, args...)
	}
	cmd := exec.CommandContext(ctx, findTool(e.t, tool), args...)
	cmd.Env = append(os.Environ(), "HOME="+e.dir, "DOCKER_CONFIG="+e.dir, "XDG_RUNTIME_DIR="+e.dir)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// findTool looks in FANDOGH_TEST_TOOLS, in the repository's bin, and in PATH.
func findTool(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range []string{os.Getenv("FANDOGH_TEST_TOOLS"), "../../bin"} {
		if path, err := filepath.Abs(filepath.Join(dir, name)); dir != "" && err == nil {
			if _, err := os.Stat(path); err == nil {
				return path
			}
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("this test needs %s in $FANDOGH_TEST_TOOLS, bin or $PATH: %v", name, err)
	}
	return path
}

// answer is what a bare request got.
type answer struct {
	status int
	code   string
	text   string
	header http.Header
	body   []byte
}

func (e *env) request(method, path, creds string) answer {
	e.t.Helper()
	req, err := http.NewRequestWithContext(e.t.Context(), method, "http://"+e.host+path, nil)
	e.must(err)
	req.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json")
	if name, secret, ok := strings.Cut(creds, ":"); ok {
		req.SetBasicAuth(name, secret)
	}
	resp, err := http.DefaultClient.Do(req)
	e.must(err)
	var body bytes.Buffer
	_, err = body.ReadFrom(resp.Body)
	e.must(err)
	e.must(resp.Body.Close())
	a := answer{status: resp.StatusCode, header: resp.Header, body: body.Bytes()}
	var errs struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal(a.body, &errs) == nil && len(errs.Errors) > 0 {
		a.code, a.text = errs.Errors[0].Code, errs.Errors[0].Message
	}
	return a
}

func (e *env) expect(method, path, creds string, status int, code string) answer {
	e.t.Helper()
	a := e.request(method, path, creds)
	if a.status != status || a.code != code {
		e.t.Errorf("%s %s as %.9s…: got %d %s %q, want %d %s", method, path, creds, a.status, a.code, a.text, status, code)
	}
	return a
}

// app is the address of alice's image app at ":tag" or "@digest".
func (e *env) app(at string) string { return "docker://" + e.host + "/alice/app" + at }
