//go:build linux

package buildkit

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
)

// claimant is a registry that names digests and has nothing of most.
type claimant struct {
	mu    sync.Mutex
	has   map[string]string // content by digest
	named string            // what its tags stand for
}

func (c *claimant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := path.Base(r.URL.Path)
	if !strings.Contains(r.URL.Path, "/manifests/") {
		if r.URL.Path != "/v2/" {
			w.WriteHeader(http.StatusNotFound)
		}
		return
	}
	if !strings.HasPrefix(asked, "sha256:") {
		asked = c.named
	}
	content, ok := c.has[asked]
	kind := types.OCIManifestSchema1
	if strings.Contains(content, `"manifests"`) {
		kind = types.OCIImageIndex
	}
	w.Header().Set("Docker-Content-Digest", asked)
	w.Header().Set("Content-Type", string(kind))
	switch {
	case ok:
		fmt.Fprint(w, content)
	case r.Method == http.MethodHead:
		w.Header().Set("Content-Length", "400")
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// Who knows the digest of an image in the cache and has a registry name it is not given the image.
func TestImagesThatARegistryOnlyNames(t *testing.T) {
	e := newElsewhere(t)
	private := e.push(t, "open", "named-file")
	index := `{"schemaVersion":2,"mediaType":"` + string(types.OCIImageIndex) + `","manifests":[{"mediaType":"` + string(types.OCIManifestSchema1) + `","digest":"` + private + `","size":400}]}`
	indexDigest := digest.FromString(index).String()
	evil := &claimant{has: map[string]string{indexDigest: index}}
	host := env.Serve(t, evil)
	for what, hosts := range map[string]string{"with an account": e.host, "without": "registry.example.com"} {
		config := solverConfig(env.manager, env.Registry)
		config.Accounts = accounts{hosts, map[string]string{"ann": "open"}}
		solver := newSolver(t, config)
		version := 0
		solve := func(namespace, dockerfile string) error {
			version++
			r := env.Request(namespace, "named", fmt.Sprint(version), buildkittest.NewTree(map[string]string{"Dockerfile": dockerfile, "x": t.Name()}))
			_, err := solver.Solve(t.Context(), r, (&buildkittest.Recorder{}).Event)
			return err
		}
		for range 2 {
			if err := solve("ann", "FROM "+e.host+"/open/base@"+private+"\nCOPY x /x\n"); err != nil {
				t.Fatalf("%s: who may pull it: %v", what, err)
			}
		}
		for _, test := range []struct{ way, named, dockerfile string }{
			{"by digest", "", "FROM " + host + "/x/y@" + private + "\nCOPY x /x\n"},
			{"by tag", private, "FROM " + host + "/x/y:1\nCOPY x /x\n"},
			{"by an index", indexDigest, "FROM " + host + "/x/z:1\nCOPY x /x\n"},
			{"by COPY --from", "", "FROM scratch\nCOPY --from=" + host + "/x/y@" + private + " /named-file /\n"},
		} {
			evil.mu.Lock()
			evil.named = test.named
			evil.mu.Unlock()
			failure := solveFailure(solve("bob", test.dockerfile))
			if failure == nil || failure.Outcome != catalog.OutcomeUserError || !strings.Contains(failure.Message, "does not let the namespace bob pull "+host) {
				t.Errorf("%s, %s: %v", what, test.way, failure)
			}
		}
	}
}

func solveFailure(err error) *builder.SolveError {
	var failure *builder.SolveError
	errors.As(err, &failure)
	return failure
}

// seen is a network on which nothing answers in TLS.
type seen struct{ urls []string }

func (s *seen) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "https" {
		return nil, errors.New("no TLS here")
	}
	user, _, _ := r.BasicAuth()
	s.urls = append(s.urls, user+"@"+r.URL.String())
	return &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{"Www-Authenticate": {`Basic realm="x"`}}, Body: http.NoBody, Request: r}, nil
}

// Passwords go where BuildKit would send them: without TLS to this machine's own addresses alone.
func TestPasswordsAreSentByTLS(t *testing.T) {
	for host, isPlain := range map[string]bool{"10.1.2.3:5000": false, "registry.local": false, "registry.example.com": false, "127.0.0.1:5000": true} {
		network := &seen{}
		p := &pulls{transport: network}
		asked, err := p.question(host, host+"/acme/base:1", "acme", "password")
		if err != nil {
			t.Fatal(err)
		}
		if err := asked.mayPull(t.Context()); err == nil || (len(network.urls) > 0) != isPlain {
			t.Errorf("%s: %v, %q", host, err, network.urls)
		}
	}
}
