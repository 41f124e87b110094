//go:build linux

package buildkittest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/sirupsen/logrus"

	"github.com/fandoghpaas/fandogh/internal/bounded"
)

// Registry is a real registry on a loopback port. Its accounts are name and
// password being equal; a name is also the one namespace it may use.
type Registry struct {
	server *httptest.Server
	app    http.Handler
	mu     sync.Mutex
	fail   bool // answers 403
}

// NewRegistry serves what is in a directory.
func NewRegistry(dir string) (*Registry, error) {
	config := &configuration.Configuration{Storage: configuration.Storage{"filesystem": {"rootdirectory": dir}}}
	config.HTTP.Secret = "tests need no secret"
	logrus.SetLevel(logrus.PanicLevel) // the registry logs every request through it
	r := &Registry{app: handlers.NewApp(context.Background(), config)}
	r.server = httptest.NewUnstartedServer(http.HandlerFunc(r.serve))
	r.server.Start()
	return r, nil
}

// Host is where the registry listens.
func (r *Registry) Host() string { return strings.TrimPrefix(r.server.URL, "http://") }

// SetFailing has the registry refuse everything, or not any more.
func (r *Registry) SetFailing(is bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = is
}

// Close ends the registry.
func (r *Registry) Close() { r.server.Close() }

func (r *Registry) serve(w http.ResponseWriter, req *http.Request) {
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

// Get fetches a manifest or blob with the namespace's account.
func (r *Registry) Get(t *testing.T, namespace, path string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.server.URL+"/v2/"+path, nil)
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
	body, err := bounded.ReadAll(res.Body, 1<<30)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v: %s", path, res.Status, err, body)
	}
	return body
}
