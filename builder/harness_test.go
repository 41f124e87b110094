package builder_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
)

const (
	commitA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	commitB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	digest  = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// solverFunc scripts what BuildKit does.
type solverFunc func(ctx context.Context, r builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error)

func (f solverFunc) Solve(ctx context.Context, r builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
	return f(ctx, r, progress)
}

// memorySources is a catalog.Sources without git.
type memorySources struct {
	mu    sync.Mutex
	trees map[string]fstest.MapFS // by commit
	tags  map[string]string       // "ns/app:v1" to commit
	kept  map[string]bool         // commits
}

type memoryTree struct{ fstest.MapFS }

func (memoryTree) Close() error           { return nil }
func (t memoryTree) Whole() catalog.Files { return t }
func (memoryTree) CommitTime() time.Time  { return time.Unix(1_700_000_000, 0).UTC() }

func (memoryTree) Describe(context.Context, catalog.CheckedOut) (string, error) {
	return "v1-2-g0123abc", nil
}
func (memoryTree) KeepGit(context.Context, catalog.CheckedOut) error { return nil }

func (memoryTree) OpenSubmodules(context.Context, catalog.SubmoduleAccess) {}

func (s *memorySources) Tree(_ context.Context, _ catalog.ImageRef, commit string) (catalog.Tree, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	files, ok := s.trees[commit]
	if !ok {
		return nil, catalog.Errorf(catalog.NotFound, "no commit %s", commit)
	}
	if _, ok := files[".gitmodules"]; ok {
		return nil, catalog.Errorf(catalog.Invalid, "vendor/lib is a submodule, which can't be built")
	}
	return memoryTree{files}, nil
}

func (s *memorySources) Keep(_ context.Context, _ catalog.ImageRef, commit string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[commit] = true
	return nil
}

func (s *memorySources) ReadTag(_ context.Context, _ catalog.ImageRef, object string) ([]byte, error) {
	return []byte(object), nil
}

func (s *memorySources) WithdrawTag(_ context.Context, ref catalog.ImageRef, tag, commit string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key := ref.Repository() + ":" + tag; s.tags[key] == commit {
		delete(s.tags, key)
	}
	return nil
}

func (s *memorySources) SetTag(_ context.Context, ref catalog.ImageRef, tag, commit string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := ref.Repository() + ":" + tag
	if there, ok := s.tags[key]; ok && there != commit {
		return catalog.Errorf(catalog.Conflict, "tag %s is of another commit", tag)
	}
	s.tags[key] = commit
	return nil
}

func (s *memorySources) Tags(context.Context, catalog.ImageRef) ([]catalog.TagRef, error) {
	return nil, errors.ErrUnsupported
}
func (s *memorySources) Repositories(context.Context) ([]catalog.ImageRef, error) {
	return nil, errors.ErrUnsupported
}
func (s *memorySources) Delete(context.Context, catalog.ImageRef) error { return errors.ErrUnsupported }
func (s *memorySources) SetAside(context.Context, catalog.ImageRef) (string, error) {
	return "", errors.ErrUnsupported
}

func (s *memorySources) Peek(context.Context, catalog.ImageRef, string) (catalog.CommitFiles, error) {
	return nil, errors.ErrUnsupported
}

func (s *memorySources) Store(context.Context, catalog.ImageRef, map[string]bool) error {
	return errors.ErrUnsupported
}

func (s *memorySources) tag(ref catalog.ImageRef, tag, commit string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tags[ref.Repository()+":"+tag] = commit
}

func (s *memorySources) hasTag(ref catalog.ImageRef, tag string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.tags[ref.Repository()+":"+tag]
	return ok
}

// credentials counts those in force.
type credentials struct {
	mu    sync.Mutex
	alive map[string]catalog.BuildGrant
}

func (c *credentials) Issue(grant catalog.BuildGrant) (builder.Credential, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := fmt.Sprintf("build.%d", grant.BuildID)
	c.alive[name] = grant
	return builder.Credential{Username: name, Password: "secret"}, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.alive, name)
	}
}

func (c *credentials) grant(name string) (catalog.BuildGrant, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g, ok := c.alive[name]
	return g, ok
}

// env is a store, sources and a data directory, over which builders come and go.
type env struct {
	t           *testing.T
	store       *sqlite.Store
	sources     *memorySources
	credentials *credentials
	logs        string
	users       map[string]catalog.User
}

func newEnv(t *testing.T) *env {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "fandogh.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &env{
		t: t, store: store, logs: filepath.Join(dir, "logs"), users: map[string]catalog.User{},
		credentials: &credentials{alive: map[string]catalog.BuildGrant{}},
		sources: &memorySources{
			trees: map[string]fstest.MapFS{commitA: {"Dockerfile": {Data: []byte("FROM scratch\n")}}, commitB: {"Dockerfile": {Data: []byte("FROM scratch\n")}}},
			tags:  map[string]string{}, kept: map[string]bool{},
		},
	}
}

func (e *env) image(namespace, name string) catalog.Image {
	e.t.Helper()
	user, ok := e.users[namespace]
	if !ok {
		var err error
		if user, err = e.store.CreateUser(e.t.Context(), catalog.NewUser{Name: namespace}); err != nil {
			e.t.Fatal(err)
		}
		e.users[namespace] = user
	}
	image, err := e.store.CreateImage(e.t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: namespace, Name: name}, OwnerID: user.ID})
	if err != nil {
		e.t.Fatal(err)
	}
	return image
}

// newBuild asks for a build as a push of a tag does.
func (e *env) newBuild(image catalog.Image, version, commit string) catalog.NewBuild {
	e.sources.tag(image.Ref, version, commit)
	return catalog.NewBuild{ImageID: image.ID, Version: version, Trigger: catalog.TriggerPush, Commit: commit, UserID: image.OwnerID}
}

// builder makes a Builder that does not run yet.
func (e *env) builder(solve solverFunc, change ...func(*builder.Config)) *builder.Builder {
	e.t.Helper()
	config := builder.Config{
		Store: e.store, Sources: e.sources, Solver: solve, Credentials: e.credentials,
		RegistryHost: func() string { return "127.0.0.1:5000" }, PublicRegistry: func() string { return "registry.example" },
		LogDir: e.logs, WorkerID: fmt.Sprintf("test-%d", time.Now().UnixNano()), RetryDelay: time.Millisecond,
		Settings: builder.Settings{Parallel: 2, Timeout: 30 * time.Minute},
		Logger:   hclog.New(&hclog.LoggerOptions{Output: testWriter{e.t}, Level: hclog.Error}),
	}
	for _, c := range change {
		c(&config)
	}
	b, err := builder.New(config)
	if err != nil {
		e.t.Fatal(err)
	}
	return b
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", strings.TrimSpace(string(p)))
	return len(p), nil
}

// run starts b and returns what stops it; the test's end does so too.
func (e *env) run(b *builder.Builder) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				e.t.Errorf("Run: %v", err)
			}
		case <-time.After(time.Minute):
			e.t.Error("Run did not return")
		}
	})
	e.t.Cleanup(stop)
	return stop
}

func (e *env) submit(b *builder.Builder, builds ...catalog.NewBuild) []catalog.QueuedBuild {
	e.t.Helper()
	queued, err := b.Submit(e.t.Context(), builds)
	if err != nil {
		e.t.Fatal(err)
	}
	return queued
}

// follow waits for a build's end and returns it with its log.
func (e *env) follow(b *builder.Builder, id int64) (catalog.Build, []string) {
	e.t.Helper()
	build, lines, err := follow(e.t.Context(), b, id)
	if err != nil {
		e.t.Fatalf("follow build %d: %v", id, err)
	}
	return build, lines
}

func follow(ctx context.Context, b *builder.Builder, id int64) (catalog.Build, []string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var texts []string
	build, err := b.FollowLog(ctx, id, 0, func(lines []catalog.LogLine) error {
		for _, line := range lines {
			texts = append(texts, line.Text)
		}
		return nil
	})
	return build, texts, err
}

// recorded returns what the store has of a build and its version.
func (e *env) recorded(id int64) (catalog.Build, catalog.Version) {
	e.t.Helper()
	build, err := e.store.Build(e.t.Context(), id)
	if err != nil {
		e.t.Fatal(err)
	}
	version, err := e.store.Version(e.t.Context(), build.ImageID, build.Version)
	if err != nil {
		e.t.Fatal(err)
	}
	return build, version
}

func wantLog(t *testing.T, lines []string, wanted ...string) {
	t.Helper()
	rest := strings.Join(lines, "\n")
	for _, want := range wanted {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Errorf("log lacks %q after what came before it:\n%s", want, strings.Join(lines, "\n"))
			return
		}
		rest = after
	}
}

func built(context.Context, builder.SolveRequest, func(builder.Event)) (builder.SolveResult, error) {
	return builder.SolveResult{Digest: digest, Size: 12_400_000}, nil
}

// blocking solves tell started that they run and end with their context.
func blocking(started chan<- int64) solverFunc {
	return func(ctx context.Context, r builder.SolveRequest, _ func(builder.Event)) (builder.SolveResult, error) {
		started <- r.Build.ID
		<-ctx.Done()
		return builder.SolveResult{}, ctx.Err()
	}
}

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(time.Minute):
		t.Fatal("nothing happened for 20 s")
		panic("unreachable")
	}
}

var _ fs.ReadLinkFS = memoryTree{}
