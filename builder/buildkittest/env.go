//go:build linux

// Package buildkittest is what the tests of the packages around BuildKit share: a registry, trees in
// memory, a recorder of what solves say, a host outside of this machine, and the life of a
// buildkitd and a Solver through the tests of one binary. It imports neither of the packages that it
// helps to test, so that their own tests can use it.
package buildkittest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// Env is the one registry and the one Solver of a test binary, and servers of loopback that
// its builds may reach.
type Env struct {
	Registry  *Registry
	Solver    builder.Solver
	listeners chan net.Listener
}

// Daemon is a buildkitd's manager.
type Daemon interface {
	Run(ctx context.Context) error
	Ready(ctx context.Context) error
}

// Start makes what is tested. dir is there as long as the tests run, and builds are to reach
// what is allowed.
type Start func(dir string, allow []string) (Daemon, builder.Solver, error)

// PublicName is what users call the registry; nothing resolves it.
const PublicName = "images.test"

// Main runs a binary's tests, and returns its exit code.
func (e *Env) Main(m *testing.M, start Start) int {
	code, err := e.run(m, start)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func (e *Env) run(m *testing.M, start Start) (code int, err error) {
	dir, err := os.MkdirTemp("", "fandogh-buildkit")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	if e.Registry, err = NewRegistry(filepath.Join(dir, "registry")); err != nil {
		return 1, err
	}
	defer e.Registry.Close()
	var allow []string
	e.listeners = make(chan net.Listener, 24)
	for range cap(e.listeners) {
		listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.2:0")
		if err != nil {
			return 1, err
		}
		e.listeners <- listener
		allow = append(allow, listener.Addr().String())
	}
	daemon, solver, err := start(dir, allow)
	if err != nil {
		return 1, err
	}
	e.Solver = solver
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- daemon.Run(ctx) }()
	defer func() {
		stop()
		if runErr := <-ended; err == nil {
			err = runErr
		}
	}()
	readyCtx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := daemon.Ready(readyCtx); err != nil {
		return 1, fmt.Errorf("buildkitd did not become ready: %w", err)
	}
	return m.Run(), nil
}

// Request asks for one version; the credential is the namespace's.
func (e *Env) Request(namespace, image, version string, tree catalog.Tree) builder.SolveRequest {
	ref := catalog.ImageRef{Namespace: namespace, Name: image}
	return builder.SolveRequest{
		Build:       catalog.Build{Image: ref, Version: version},
		Tree:        tree,
		Destination: e.Registry.Host() + "/" + ref.Repository() + ":" + version,
		Credential:  builder.Credential{Username: namespace, Password: namespace},
	}
}

// Solve runs a solve that must succeed; it returns its result and its log.
func (e *Env) Solve(t *testing.T, r builder.SolveRequest) (builder.SolveResult, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	rec := &Recorder{}
	result, err := e.Solver.Solve(ctx, r, rec.Event)
	if err != nil {
		t.Fatalf("solve: %v\n%s", err, rec.Text())
	}
	return result, rec.Text()
}

// ImageFile reads a file out of a pushed image.
func (e *Env) ImageFile(t *testing.T, r builder.SolveRequest, name string) string {
	t.Helper()
	content, ok := e.ImageFiles(t, r)[name]
	if !ok {
		t.Fatalf("%s has no file %s", r.Destination, name)
	}
	return content
}

// ImageFiles reads all files of a pushed image that removes none; the last layer
// that holds one counts.
func (e *Env) ImageFiles(t *testing.T, r builder.SolveRequest) map[string]string {
	t.Helper()
	repository := r.Build.Image.Repository()
	var manifest v1.Manifest
	if err := json.Unmarshal(e.Registry.Get(t, r.Build.Image.Namespace, repository+"/manifests/"+r.Build.Version), &manifest); err != nil {
		t.Fatal(err)
	}
	return e.FilesOf(t, r, manifest)
}

// FilesOf reads all files of one of the images that a request made.
func (e *Env) FilesOf(t *testing.T, r builder.SolveRequest, manifest v1.Manifest) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, layer := range manifest.Layers {
		blob := e.Registry.Get(t, r.Build.Image.Namespace, r.Build.Image.Repository()+"/blobs/"+layer.Digest.String())
		for header, content := range TarFiles(t, bytes.NewReader(blob)) {
			files[header.Name] = content
		}
	}
	return files
}

// SolveError runs a solve that must fail.
func (e *Env) SolveError(t *testing.T, r builder.SolveRequest) (*builder.SolveError, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	rec := &Recorder{}
	_, err := e.Solver.Solve(ctx, r, rec.Event)
	var failure *builder.SolveError
	if !errors.As(err, &failure) {
		t.Fatalf("solve returned %v, want a SolveError\n%s", err, rec.Text())
	}
	return failure, rec.Text()
}
