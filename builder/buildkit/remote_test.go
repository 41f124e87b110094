//go:build linux

package buildkit

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	images "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkitd"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
)

// answering is a server that always answers so; 0 closes the connection.
func answering(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(status)
	})
}

func TestServersThatGiveNothing(t *testing.T) {
	buildkittest.Outside(t)
	user, ours := catalog.OutcomeUserError, catalog.OutcomeInfrastructure
	for name, test := range map[string]struct {
		host       string
		dockerfile string
		outcome    catalog.Outcome
		message    string
	}{
		"registry 401":      {env.Serve(t, answering(401)), "FROM HOST/a/b:1\n", user, "Dockerfile:1: the registry HOST, when asked for a/b:1, responded 401 Unauthorized: this builder has no access to the image"},
		"registry 403":      {env.Serve(t, answering(403)), "FROM scratch\nCOPY --from=HOST/a/b:1 / /\n", user, "Dockerfile:2: the registry HOST, when asked for a/b:1, responded 403 Forbidden: this builder has no access to the image"},
		"registry 404":      {env.Serve(t, answering(404)), "FROM HOST/a/b:1\n", user, "Dockerfile:1: HOST/a/b:1: not found"},
		"registry 429":      {env.Serve(t, answering(429)), "FROM HOST/a/b:1\n", ours, "the registry HOST, when asked for a/b:1, responded 429 Too Many Requests"},
		"registry 503":      {env.Serve(t, answering(503)), "FROM HOST/a/b:1\n", ours, "the registry HOST, when asked for a/b:1, responded 503 Service Unavailable"},
		"registry hangs up": {env.Serve(t, answering(0)), "FROM HOST/a/b:1\n", ours, "the registry HOST, when asked for a/b:1, did not respond: EOF"},
		"registry away":     {env.Unreachable(t), "FROM HOST/a/b:1\n", ours, "the registry HOST, when asked for a/b:1, did not respond: dial tcp HOST: connect: connection refused"},
		"registry unknown":  {"nowhere.invalid", "FROM HOST/a/b:1\n", ours, "the registry HOST, when asked for a/b:1, did not respond: dial tcp: lookup nowhere.invalid"},
		"file 404":          {env.ServeOutside(t, answering(404)), "FROM scratch\nADD http://HOST/x /\n", user, "the server of ADD http://HOST/x / responded 404 Not Found"},
		"file 403":          {env.ServeOutside(t, answering(403)), "FROM scratch\nADD http://HOST/x /\n", user, "responded 403 Forbidden"},
		"file 503":          {env.ServeOutside(t, answering(503)), "FROM scratch\nADD http://HOST/x /\n", ours, "responded 503 Service Unavailable"},
		"file away":         {env.Unreachable(t), "FROM scratch\nADD http://HOST/x /\n", ours, "the server HOST did not respond: dial tcp HOST: connect: connection refused"},
		"file unknown":      {"nowhere.invalid", "FROM scratch\nADD http://HOST/x /\n", ours, "the server HOST did not respond: dial tcp: lookup nowhere.invalid"},
		"file changed":      {env.ServeOutside(t, answering(200)), "FROM scratch\nADD --checksum=sha256:" + strings.Repeat("0", 64) + " http://HOST/x /\n", user, "digest mismatch"},
		"git 401":           {env.ServeOutside(t, answering(401)), "FROM scratch\nADD http://HOST/x.git#main /\n", user, "could not read Username"},
		"git 404":           {env.ServeOutside(t, answering(404)), "FROM scratch\nADD http://HOST/x.git#main /\n", user, "not found"},
		"git 503":           {env.ServeOutside(t, answering(503)), "FROM scratch\nADD http://HOST/x.git#main /\n", ours, "the server HOST responded 503 Service Unavailable"},
		"git away":          {env.Unreachable(t), "FROM scratch\nADD http://HOST/x.git#main /\n", ours, "the server HOST did not respond: Failed to connect"},
		"git unknown":       {"nowhere.invalid", "FROM scratch\nADD https://HOST/x.git#main /\n", ours, "the server HOST did not respond: Could not resolve host: nowhere.invalid"},
		"layer 503":         {brokenLayers(t, answering(503)), "FROM HOST/a/b:1\nCOPY Dockerfile /\n", ours, "the registry HOST, when asked for a/b, responded 503 Service Unavailable"},
		"layer 403":         {brokenLayers(t, answering(403)), "FROM HOST/a/b:1\nCOPY Dockerfile /\n", user, "the registry HOST, when asked for a/b, responded 403 Forbidden"},
		"layer cut":         {brokenLayers(t, answering(0)), "FROM HOST/a/b:1\nCOPY Dockerfile /\n", ours, "HOST"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.ReplaceAll(test.dockerfile, "HOST", test.host)
			failure, _ := env.SolveError(t, env.Request("ann", "nothing", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": text})))
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
	host = env.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	cfg := managerConfig(t.TempDir(), env.Registry)
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", cfg.Dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", cfg.Dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	cfg.Disk = &buildkitd.Disk{Dir: cfg.Dir}
	m := newManager(t, cfg)
	buildkittest.RunReady(t, m)
	solverCfg := solverConfig(m, env.Registry)
	solverCfg.Disk = cfg.Disk
	solver := newSolver(t, solverCfg)
	before := env.Solver
	env.Solver = solver
	defer func() { env.Solver = before }()
	tree := buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + "RUN dd if=/dev/zero of=/big bs=1M\n"}).WithBusybox()
	failure, log := env.SolveError(t, env.Request("ann", "full", "1.0", tree))
	if failure.Outcome != catalog.OutcomeInfrastructure || !strings.HasPrefix(failure.Message, "the builder's disk is full; RUN dd if=/dev/zero") || failure.Retry != builder.RetryLater {
		t.Errorf("got %v\n%s", failure, log)
	}
}

// An address that is none is the Dockerfile's fault, and no other try helps.
func TestAddressesThatAreNone(t *testing.T) {
	for i, address := range []string{"http://a%31b/x", "http://[::1/x", "http://example.com:x/y", "http://example.com:99999/x"} {
		r := env.Request("ann", "addresses", fmt.Sprint("1.", i), buildkittest.NewTree(map[string]string{"Dockerfile": "FROM scratch\nADD " + address + " /x\n"}))
		_, err := env.Solver.Solve(t.Context(), r, func(builder.Event) {})
		var failed *builder.SolveError
		if !errors.As(err, &failed) || failed.Outcome != catalog.OutcomeUserError || failed.Retry != 0 || !strings.Contains(failed.Message, address) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
