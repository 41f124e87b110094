//go:build linux

package buildkit

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	images "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// serve answers at a port of an address of this machine.
func serve(t *testing.T, address string, handler http.Handler) (host string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return listener.Addr().String()
}

// answering is a server that always answers so; 0 closes the connection.
func answering(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(status)
	})
}

// elsewhere is an address of this machine that a build may fetch from.
func elsewhere(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		if ip, ok := address.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() && ip.IP.To4() != nil {
			return ip.IP.String()
		}
	}
	t.Fatal("this machine has no address but loopback")
	return ""
}

// unreachable closes a connection's port again.
func unreachable(t *testing.T, address string) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // nothing was accepted
	return listener.Addr().String()
}

func TestServersThatGiveNothing(t *testing.T) {
	const loopback = "127.0.0.2"
	other := elsewhere(t)
	user, ours := catalog.OutcomeUserError, catalog.OutcomeInfrastructure
	for name, test := range map[string]struct {
		host       string
		dockerfile string
		outcome    catalog.Outcome
		message    string
	}{
		"registry 401":      {serve(t, loopback, answering(401)), "FROM HOST/a/b:1\n", user, "Dockerfile:1: the registry HOST, asked for a/b:1, answers 401 Unauthorized: this builder has no right to the image"},
		"registry 403":      {serve(t, loopback, answering(403)), "FROM scratch\nCOPY --from=HOST/a/b:1 / /\n", user, "Dockerfile:2: the registry HOST, asked for a/b:1, answers 403 Forbidden: this builder has no right to the image"},
		"registry 404":      {serve(t, loopback, answering(404)), "FROM HOST/a/b:1\n", user, "Dockerfile:1: HOST/a/b:1: not found"},
		"registry 429":      {serve(t, loopback, answering(429)), "FROM HOST/a/b:1\n", ours, "the registry HOST, asked for a/b:1, answers 429 Too Many Requests"},
		"registry 503":      {serve(t, loopback, answering(503)), "FROM HOST/a/b:1\n", ours, "the registry HOST, asked for a/b:1, answers 503 Service Unavailable"},
		"registry hangs up": {serve(t, loopback, answering(0)), "FROM HOST/a/b:1\n", ours, "the registry HOST, asked for a/b:1, does not answer: EOF"},
		"registry away":     {unreachable(t, loopback), "FROM HOST/a/b:1\n", ours, "the registry HOST, asked for a/b:1, does not answer: dial tcp HOST: connect: connection refused"},
		"registry unknown":  {"nowhere.invalid", "FROM HOST/a/b:1\n", ours, "the registry HOST, asked for a/b:1, does not answer: dial tcp: lookup nowhere.invalid"},
		"file 404":          {serve(t, other, answering(404)), "FROM scratch\nADD http://HOST/x /\n", user, "the server of ADD http://HOST/x / answers 404 Not Found"},
		"file 403":          {serve(t, other, answering(403)), "FROM scratch\nADD http://HOST/x /\n", user, "answers 403 Forbidden"},
		"file 503":          {serve(t, other, answering(503)), "FROM scratch\nADD http://HOST/x /\n", ours, "answers 503 Service Unavailable"},
		"file away":         {unreachable(t, other), "FROM scratch\nADD http://HOST/x /\n", ours, "the server HOST does not answer: dial tcp HOST: connect: connection refused"},
		"file unknown":      {"nowhere.invalid", "FROM scratch\nADD http://HOST/x /\n", ours, "the server HOST does not answer: dial tcp: lookup nowhere.invalid"},
		"file changed":      {serve(t, other, answering(200)), "FROM scratch\nADD --checksum=sha256:" + strings.Repeat("0", 64) + " http://HOST/x /\n", user, "digest mismatch"},
		"git 401":           {serve(t, other, answering(401)), "FROM scratch\nADD http://HOST/x.git#main /\n", user, "could not read Username"},
		"git 404":           {serve(t, other, answering(404)), "FROM scratch\nADD http://HOST/x.git#main /\n", user, "not found"},
		"git 503":           {serve(t, other, answering(503)), "FROM scratch\nADD http://HOST/x.git#main /\n", ours, "the server HOST answers 503 Service Unavailable"},
		"git away":          {unreachable(t, other), "FROM scratch\nADD http://HOST/x.git#main /\n", ours, "the server HOST does not answer: Failed to connect"},
		"git unknown":       {"nowhere.invalid", "FROM scratch\nADD https://HOST/x.git#main /\n", ours, "the server HOST does not answer: Could not resolve host: nowhere.invalid"},
		"layer 503":         {brokenLayers(t, answering(503)), "FROM HOST/a/b:1\nCOPY Dockerfile /\n", ours, "the registry HOST, asked for a/b, answers 503 Service Unavailable"},
		"layer 403":         {brokenLayers(t, answering(403)), "FROM HOST/a/b:1\nCOPY Dockerfile /\n", user, "the registry HOST, asked for a/b, answers 403 Forbidden"},
		"layer cut":         {brokenLayers(t, answering(0)), "FROM HOST/a/b:1\nCOPY Dockerfile /\n", ours, "HOST"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.ReplaceAll(test.dockerfile, "HOST", test.host)
			failure, _ := solveError(t, request("ann", "nothing", "1.0", newTree(map[string]string{"Dockerfile": text})))
			if want := strings.ReplaceAll(test.message, "HOST", test.host); failure.Outcome != test.outcome || !strings.Contains(failure.Message, want) {
				t.Errorf("%s, %q; want %s, %q", failure.Outcome, failure.Message, test.outcome, want)
			}
			if later := failure.Retry == builder.RetryLater; later != (test.outcome == ours) {
				t.Errorf("retry is %v", failure.Retry)
			}
		})
	}
}

// brokenLayers is a registry with the image a/b:1, whose layers it gives by broken.
func brokenLayers(t *testing.T, broken http.Handler) (host string) {
	t.Helper()
	image, err := random.Image(1<<10, 1)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	hash, err := layers[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	whole := images.New(images.Logger(log.New(io.Discard, "", 0)))
	host = serve(t, "127.0.0.2", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/blobs/"+hash.String()) {
			broken.ServeHTTP(w, r)
			return
		}
		whole.ServeHTTP(w, r)
	}))
	reference, err := name.NewTag(host+"/a/b:1", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(reference, image); err != nil {
		t.Fatal(err)
	}
	return host
}

// A RUN that fills the builder's disk fails by its own exit code.
func TestFullDiskIsInfrastructure(t *testing.T) {
	cfg := managerConfig(t.TempDir(), shared.registry)
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", cfg.Dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", cfg.Dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	m, err := NewManager(cfg)
	if err != nil {
		t.Fatal(err)
	}
	runManager(t, m)
	solverCfg := solverConfig(m, shared.registry)
	solverCfg.DiskFull = m.DiskFull
	solver, err := New(solverCfg)
	if err != nil {
		t.Fatal(err)
	}
	before := shared.solver
	shared.solver = solver
	defer func() { shared.solver = before }()
	tree := newTree(map[string]string{"Dockerfile": busyboxImage + "RUN dd if=/dev/zero of=/big bs=1M\n"}).withBusybox()
	failure, log := solveError(t, request("ann", "full", "1.0", tree))
	if failure.Outcome != catalog.OutcomeInfrastructure || !strings.HasPrefix(failure.Message, "the builder's disk is full; RUN dd if=/dev/zero") || failure.Retry != builder.RetryLater {
		t.Errorf("got %v\n%s", failure, log)
	}
}
