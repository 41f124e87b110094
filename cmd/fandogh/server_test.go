package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/account"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/catalog/rest"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/catalog/sqlite/sqlitetest"
	"github.com/fandoghpaas/fandogh/hooks"
	"github.com/fandoghpaas/fandogh/hooks/github"
	"github.com/fandoghpaas/fandogh/hooks/notify"
	"github.com/fandoghpaas/fandogh/hooks/secrets"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

const (
	builtDigest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	gitURL      = "ssh://git@git.test:2222"
)

// testServer is the real API, store, accounts and build queue. In place of git
// uploads are kept in memory, and in place of BuildKit a Dockerfile says what
// happens: see Solve.
type testServer struct {
	catalog.Sources // nil: only the methods that are overridden are called

	store    *sqlite.Store
	accounts *account.Service
	builder  *builder.Builder
	url      string

	mu       sync.Mutex
	trees    map[string]memoryTree // by commit
	archives map[string][]byte     // by ns/image:version
}

func newTestServer(t *testing.T) *testServer {
	t.Helper()
	s := &testServer{trees: map[string]memoryTree{}, archives: map[string][]byte{}}
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	s.store = sqlitetest.Open(t, dir)
	s.accounts = account.New(account.Config{Users: s.store})
	s.builder, err = builder.New(builder.Config{
		Store: s.store, Sources: s, Solver: s, Credentials: s, RegistryHost: func() string { return "registry.test" },
		LogDir: filepath.Join(dir, "logs"), WorkerID: "test", Settings: builder.Settings{Parallel: 2, Timeout: time.Minute}, RetryDelay: time.Millisecond,
	})
	must(err)
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.builder.Run(ctx) }()
	t.Cleanup(func() { stop(); must(<-ran) })
	keyring, err := secrets.Open(filepath.Join(dir, "key"))
	must(err)
	connections, err := github.New(github.Config{Store: s.store, Secrets: keyring, WorkerID: "test", WebhookURL: func() string { return "https://fandogh.test/webhooks/github" }})
	must(err)
	kept, err := secrets.New(ctx, secrets.Config{Store: s.store, Keyring: keyring})
	must(err)
	api, err := rest.New(rest.Config{
		Store: s.store, Auth: s.accounts, Accounts: s.accounts, Logs: s.builder, Control: s.builder, Contents: s, Remover: s, Transfers: struct{ catalog.TransferControl }{},
		Origins: struct{ catalog.Origins }{}, Keys: struct{ catalog.SigningKeys }{}, SBOMs: struct{ catalog.SBOMs }{}, Comparisons: struct{ catalog.Comparisons }{}, Diagnoses: struct{ catalog.Diagnoses }{}, Usage: struct{ catalog.UsageReport }{}, Parts: func() map[string]int64 { return nil },
		Retention: struct{ catalog.RetentionControl }{},
		GitHub:    connections, Secrets: kept, Webhooks: notify.New(notify.Config{Store: s.store, Secrets: keyring, WorkerID: "test"}),
		Uploads:      &hooks.Uploads{}, // receive takes uploads instead
		Branches:     &fakeBranches{chosen: "main"},
		RegistryHost: "registry.test", GitURL: gitURL, Limits: requests.Limits{PerSecond: 1e6, Burst: 1e6}, Logger: hclog.NewNullLogger(),
	})
	must(err)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/images/{name}/versions", s.receive)
	mux.Handle("/", api)
	h := httptest.NewServer(mux)
	t.Cleanup(h.Close)
	s.url = h.URL
	return s
}

// receive is the upload as the contract has it, with the archive kept in memory.
func (s *testServer) receive(w http.ResponseWriter, r *http.Request) {
	status, sentence := s.accept(r)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	body := `{"message": %q, "status_code": %d}`
	_, _ = fmt.Fprintf(w, body, sentence, status)
}

func (s *testServer) accept(r *http.Request) (int, string) {
	ctx := r.Context()
	id, err := s.accounts.ByToken(ctx, strings.TrimPrefix(r.Header.Get("Authorization"), "JWT "))
	if err != nil {
		return http.StatusUnauthorized, "who are you?"
	}
	namespace := r.Header.Get("ACTIVE-NAMESPACE")
	if namespace == "" {
		namespace = id.User.Name
	}
	image, err := s.store.Image(ctx, catalog.ImageRef{Namespace: namespace, Name: r.PathValue("name")})
	if err != nil {
		return http.StatusNotFound, "there is no image " + r.PathValue("name")
	}
	if r.ContentLength != -1 {
		return http.StatusBadRequest, "the upload was not streamed"
	}
	if err := r.ParseMultipartForm(32 << 20); err != nil {
		return http.StatusBadRequest, err.Error()
	}
	version := r.FormValue("version")
	file, _, err := r.FormFile("source")
	if err != nil {
		return http.StatusBadRequest, err.Error()
	}
	archive, err := io.ReadAll(file)
	if err != nil {
		return http.StatusBadRequest, err.Error()
	}
	tree, err := unzip(archive)
	if err != nil {
		return http.StatusBadRequest, err.Error()
	}
	sum := sha256.Sum256(append(archive, version...))
	commit := hex.EncodeToString(sum[:20])
	s.mu.Lock()
	s.trees[commit], s.archives[image.Ref.String()+":"+version] = tree, archive
	s.mu.Unlock()
	_, err = s.builder.Submit(ctx, []catalog.NewBuild{{ImageID: image.ID, Version: version, Trigger: catalog.TriggerUpload, Commit: commit, UserID: id.User.ID}})
	if err != nil {
		return http.StatusConflict, catalog.MessageOf(err)
	}
	return http.StatusOK, "Version created successfully"
}

func unzip(archive []byte) (memoryTree, error) {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return memoryTree{}, err
	}
	files := fstest.MapFS{}
	for _, f := range z.File {
		content, err := f.Open()
		if err != nil {
			return memoryTree{}, err
		}
		data, err := io.ReadAll(content)
		if err != nil {
			return memoryTree{}, err
		}
		files[f.Name] = &fstest.MapFile{Data: data, Mode: f.Mode()}
	}
	return memoryTree{files}, nil
}

// listing is what an upload held: one line of mode, name and content for each
// file, in the order of the archive.
func (s *testServer) listing(version string) (string, error) {
	s.mu.Lock()
	archive, ok := s.archives[version]
	s.mu.Unlock()
	if !ok {
		return "", fmt.Errorf("nothing was uploaded as %s", version)
	}
	return zipListing(archive)
}

func zipListing(archive []byte) (string, error) {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return "", err
	}
	tree, err := unzip(archive)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, f := range z.File {
		fmt.Fprintf(&b, "%s %s %q\n", f.Mode(), f.Name, tree.MapFS[f.Name].Data)
	}
	return b.String(), nil
}

// Solve reads the Dockerfile: each line is a step that prints itself; "RUN false"
// fails, and "RUN wait" goes on until the build is cancelled.
func (s *testServer) Solve(ctx context.Context, r builder.SolveRequest, progress func(builder.Event)) (builder.SolveResult, error) {
	dockerfile, err := r.Tree.Open("Dockerfile")
	if err != nil {
		return builder.SolveResult{}, &builder.SolveError{Outcome: catalog.OutcomeUserError, Message: "no Dockerfile"}
	}
	text, err := io.ReadAll(dockerfile)
	if err != nil {
		return builder.SolveResult{}, err
	}
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		start := time.Now()
		progress(builder.Event{Time: start, Line: fmt.Sprintf("#%d %s", i+1, line)})
		switch line {
		case "RUN false":
			return builder.SolveResult{}, &builder.SolveError{Outcome: catalog.OutcomeUserError,
				Message: fmt.Sprintf("Dockerfile:%d: exit code: 1", i+1), Detail: []string{fmt.Sprintf("  %d | RUN false", i+1)}}
		case "RUN wait":
			<-ctx.Done()
			return builder.SolveResult{}, ctx.Err()
		}
		progress(builder.Event{Time: time.Now(), Line: fmt.Sprintf("#%d done 0.0s", i+1),
			Step: &catalog.Step{Digest: fmt.Sprint(i), Name: line, StartedAt: start, EndedAt: time.Now()}})
	}
	return builder.SolveResult{Digest: builtDigest, Size: 12_300_000}, nil
}

func (s *testServer) Issue(catalog.BuildGrant) (builder.Credential, func()) {
	return builder.Credential{}, func() {}
}

func (s *testServer) Content(_ context.Context, _ catalog.ImageRef, digest string) (api.ImageContent, error) {
	made := api.HistoryEntry{CreatedBy: "COPY . /app", Size: 1234, CreatedAt: api.Time{Time: time.Unix(1_700_000_000, 0)}}
	return api.ImageContent{
		Platform: "linux/amd64",
		Layers:   []api.Layer{{Digest: digest, Size: 1234, CreatedBy: "COPY . /app"}},
		Config:   api.ImageConfig{Env: []string{"PORT=80"}, Cmd: []string{"/app/run"}, Labels: map[string]string{"b": "2", "a": "1"}},
		History:  []api.HistoryEntry{made},
	}, nil
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

func (s *testServer) Tree(_ context.Context, _ catalog.ImageRef, commit string) (catalog.Tree, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tree, ok := s.trees[commit]
	if !ok {
		return nil, catalog.Errorf(catalog.NotFound, "no commit %s", commit)
	}
	return tree, nil
}

func (s *testServer) Keep(context.Context, catalog.ImageRef, string) error { return nil }
func (s *testServer) WithdrawTag(context.Context, catalog.ImageRef, string, string) error {
	return nil
}

func (s *testServer) SetTag(context.Context, catalog.ImageRef, string, string) error {
	return nil
}

// Remove implements rest.Remover: there are no files.
func (s *testServer) Remove(ctx context.Context) {
	removals, _ := s.store.Removals(ctx)
	for _, r := range removals {
		_ = s.store.EndRemoval(ctx, r.ID)
	}
}

// fakeBranches is a repository with the branch main alone.
type fakeBranches struct{ chosen string }

func (b *fakeBranches) DefaultBranch(context.Context, catalog.ImageRef) (catalog.DefaultBranch, error) {
	d := catalog.DefaultBranch{Name: "main", Exists: true}
	if b.chosen != d.Name {
		d.Awaited = b.chosen
	}
	return d, nil
}

func (b *fakeBranches) SetDefaultBranch(ctx context.Context, ref catalog.ImageRef, branch string) (catalog.DefaultBranch, error) {
	b.chosen = branch
	return b.DefaultBranch(ctx, ref)
}
