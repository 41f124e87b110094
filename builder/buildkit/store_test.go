//go:build linux

package buildkit

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
)

// watchedTransport counts uploads, and can deny that the registry has a blob
// or refuse to take one.
type watchedTransport struct {
	uploads atomic.Int32
	forgets atomic.Bool
	refuses atomic.Bool
}

func (w *watchedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	status := 0
	switch {
	case r.Method == http.MethodHead && strings.Contains(r.URL.Path, "/blobs/") && w.forgets.Load():
		status = http.StatusNotFound
	case r.Method == http.MethodPatch && w.refuses.Load():
		status = http.StatusForbidden // which is not tried again
	case r.Method == http.MethodPatch:
		w.uploads.Add(1)
	}
	if status == 0 {
		return http.DefaultTransport.RoundTrip(r)
	}
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Request: r, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}, nil
}

func TestALayerIsStoredOnce(t *testing.T) {
	transport := &watchedTransport{}
	config := solverConfig(env.manager, env.Registry)
	config.Transport = transport
	solver := newSolver(t, config)
	tree := func(changing string) *buildkittest.Tree {
		return buildkittest.NewTree(map[string]string{"Dockerfile": "FROM scratch\nCOPY " + t.Name() + " /\nCOPY changes /\n", t.Name(): "stays", "changes": changing})
	}
	build := func(version, changing string, uploads int32) builder.SolveResult {
		t.Helper()
		transport.uploads.Store(0)
		result, err := solver.Solve(t.Context(), env.Request("ann", "stored", version, tree(changing)), (&buildkittest.Recorder{}).Event)
		if err != nil {
			t.Fatal(err)
		}
		if got := transport.uploads.Load(); got != uploads {
			t.Errorf("version %s: %d uploads, want %d", version, got, uploads)
		}
		return result
	}
	first := build("1", "first", 3) // two layers and the configuration
	build("2", "second", 2)
	if again := build("3", "first", 0); again.Digest != first.Digest {
		t.Errorf("one commit is %v and %v", first, again)
	}
	transport.forgets.Store(true)
	if again := build("4", "first", 3); again.Digest != first.Digest {
		t.Errorf("with its layers stored again one commit is %v and %v", first, again)
	}
	transport.forgets.Store(false)
	transport.uploads.Store(0)
	base := strings.TrimSuffix(env.Request("ann", "stored", "1", nil).Destination, ":1") + "@" + first.Digest
	child := env.Request("ann", "storedchild", "1", buildkittest.NewTree(map[string]string{"Dockerfile": "FROM " + base + "\nCOPY more /\n", "more": "more"}))
	if _, err := solver.Solve(t.Context(), child, (&buildkittest.Recorder{}).Event); err != nil {
		t.Fatal(err)
	}
	if got := transport.uploads.Load(); got != 2 {
		t.Errorf("an image on top made %d uploads, want its layer and its configuration", got)
	}
	// A build that the registry refuses is tried again; it is not the user's fault.
	transport.refuses.Store(true)
	_, err := solver.Solve(t.Context(), env.Request("ann", "stored", "5", tree("third")), (&buildkittest.Recorder{}).Event)
	var failure *builder.SolveError
	if !errors.As(err, &failure) || failure.Outcome != catalog.OutcomeInfrastructure || !strings.Contains(failure.Message, "registry") {
		t.Errorf("a registry that refuses a layer gives %v", err)
	}
}
