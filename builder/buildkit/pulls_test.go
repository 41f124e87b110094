//go:build linux

package buildkit

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
)

// accounts are namespaces' passwords, which are their user names, at one host.
type accounts struct {
	host      string
	passwords map[string]string
}

func (a accounts) CredentialFor(_ context.Context, namespace, host string) (username, password string, err error) {
	if host == a.host {
		return a.passwords[namespace], a.passwords[namespace], nil
	}
	return "", "", nil
}

func (a accounts) HadAccount(_ context.Context, host string) (bool, error) {
	return catalog.WithoutPort(host) == catalog.WithoutPort(a.host), nil
}

// elsewhere is a registry that builds reach and that is not Fandogh's. What is in the repository
// open/base is public.
type elsewhere struct {
	host    string
	pushing *buildkittest.Registry // the same, for tests
	down    atomic.Bool
}

func newElsewhere(t *testing.T) *elsewhere {
	t.Helper()
	registry, err := buildkittest.NewRegistry(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(registry.Close)
	e := &elsewhere{pushing: registry}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: registry.Host()})
	e.host = env.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e.down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if strings.HasPrefix(r.URL.Path, "/v2/open/") {
			r.SetBasicAuth("open", "open")
		}
		proxy.ServeHTTP(w, r)
	}))
	return e
}

// push puts an image of one file there and returns its digest.
func (e *elsewhere) push(t *testing.T, owner, file string) string {
	t.Helper()
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH})
	if err != nil {
		t.Fatal(err)
	}
	image = mutate.ConfigMediaType(mutate.MediaType(image, types.OCIManifestSchema1), types.OCIConfigJSON)
	layer, err := tarball.LayerFromOpener(plainLayer(t, file).Uncompressed, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		t.Fatal(err)
	}
	if image, err = mutate.Append(image, mutate.Addendum{Layer: layer}); err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(e.pushing.Host()+"/"+owner+"/base:1", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image, remote.WithAuth(&authn.Basic{Username: owner, Password: owner})); err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

// What one namespace's account pulls is not in the next one's image, whichever way it asks.
func TestPrivateImagesOfOtherRegistries(t *testing.T) {
	e := newElsewhere(t)
	digest := e.push(t, "acme", "private-file")
	e.push(t, "open", "open-file")
	config := solverConfig(env.manager, env.Registry)
	config.Accounts = accounts{e.host, map[string]string{"ann": "acme", "eve": "wrong"}}
	solver := newSolver(t, config)
	private, public := e.host+"/acme/base", e.host+"/open/base:1"
	version := 0
	solve := func(solver builder.Solver, namespace, dockerfile string) (builder.SolveRequest, error) {
		version++
		r := env.Request(namespace, "other", fmt.Sprint(version), buildkittest.NewTree(map[string]string{"Dockerfile": dockerfile, "x": t.Name()}))
		_, err := solver.Solve(t.Context(), r, (&buildkittest.Recorder{}).Event)
		return r, err
	}
	ways := map[string]string{
		"FROM":                   "FROM " + private + ":1\nCOPY x /x\n",
		"FROM by digest":         "FROM " + private + "@" + digest + "\nCOPY x /x\n",
		"FROM by both":           "FROM " + private + ":1@" + digest + "\nCOPY x /x\n",
		"FROM alone":             "FROM " + private + "@" + digest + "\n",
		"a stage":                "FROM " + private + "@" + digest + " AS a\nFROM scratch\nCOPY --from=a /private-file /\n",
		"COPY --from":            "FROM scratch\nCOPY --from=" + private + ":1 /private-file /\n",
		"COPY --from, by digest": "FROM scratch\nCOPY --from=" + private + "@" + digest + " /private-file /\n",
	}
	for way, dockerfile := range ways {
		r, err := solve(solver, "ann", dockerfile)
		if err != nil {
			t.Fatalf("%s, with an account: %v", way, err)
		}
		if got := env.ImageFile(t, r, "private-file"); got != "private-file" {
			t.Errorf("%s: the file holds %q", way, got)
		}
	}
	for way, dockerfile := range ways {
		for _, namespace := range []string{"bob", "eve"} {
			_, err := solve(solver, namespace, dockerfile)
			failure, ok := err.(*builder.SolveError) //nolint:errorlint // as it is returned
			if !ok || failure.Outcome != catalog.OutcomeUserError || !strings.Contains(failure.Message, "does not let the namespace "+namespace+" pull "+private) {
				t.Errorf("%s, by %s: %v", way, namespace, err)
			}
		}
	}
	// Caches do not tell ports apart.
	if r, err := solve(solver, "bob", "FROM "+catalog.WithoutPort(e.host)+":1/acme/base@"+digest+"\nCOPY x /x\n"); err == nil {
		t.Errorf("by another port, bob got %v", env.ImageFiles(t, r))
	}
	if _, err := solve(solver, "bob", "FROM "+public+"\nCOPY x /x\n"); err != nil {
		t.Errorf("what is public: %v", err)
	}

	// While the registry is down, who was allowed lately still is, and others are told that it is down.
	e.down.Store(true)
	if _, err := solve(solver, "ann", ways["FROM by digest"]); err != nil {
		t.Errorf("while the registry is down: %v", err)
	}
	_, err := solve(solver, "bob", ways["FROM by digest"])
	if failure, ok := err.(*builder.SolveError); !ok || failure.Outcome != catalog.OutcomeInfrastructure || failure.Retry != builder.RetryLater { //nolint:errorlint // as it is returned
		t.Errorf("while the registry is down, without an account: %v", err)
	}
}

// A frontend that the operator allows is an image like others.
func TestPrivateFrontends(t *testing.T) {
	e := newElsewhere(t)
	e.push(t, "acme", "no-frontend")
	managing := managerConfig(filepath.Join(t.TempDir(), "own"), env.Registry)
	managing.Frontends = []string{e.host + "/acme/base"}
	managing.Allow = append(managing.Allow, e.host)
	manager := newManager(t, managing)
	buildkittest.RunReady(t, manager)
	config := solverConfig(manager, env.Registry)
	config.Frontends = managing.Frontends
	config.Accounts = accounts{e.host, map[string]string{"ann": "acme"}}
	solver := newSolver(t, config)
	for namespace, want := range map[string]string{
		"ann": "exit code: 1", // of the image, which has nothing to run
		"bob": "does not let the namespace bob pull " + e.host + "/acme/base",
	} {
		r := env.Request(namespace, "frontend", "1", buildkittest.NewTree(map[string]string{"Dockerfile": "# syntax=" + e.host + "/acme/base:1\nFROM scratch\n"}))
		_, err := solver.Solve(t.Context(), r, (&buildkittest.Recorder{}).Event)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", namespace, err)
		}
	}
}
