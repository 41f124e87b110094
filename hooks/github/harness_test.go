package github_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/account"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/catalog/sqlite/sqlitetest"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
	"github.com/fandoghpaas/fandogh/hooks"
	"github.com/fandoghpaas/fandogh/hooks/github"
	"github.com/fandoghpaas/fandogh/hooks/secrets"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

const secret = "a secret of sixteen or more"

// forge stands in for GitHub: git's own HTTP server, and what the API is asked.
type forge struct {
	*httptest.Server
	t   testing.TB
	dir string

	mu       sync.Mutex
	password string // when set, git must send it
	statuses []string
	tokens   []string         // of the API's callers
	answer   int              // of the API; 0: as it should
	ids      map[string]int64 // of the repositories that the API shows, by name
	handle   func(w http.ResponseWriter, r *http.Request) bool
}

func newForge(t testing.TB) *forge {
	t.Helper()
	path, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	f := &forge{t: t, dir: t.TempDir()}
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(path)), "git-http-backend"), Stderr: io.Discard,
		Env: []string{"GIT_PROJECT_ROOT=" + f.dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "HOME=" + f.dir},
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		password, handle := f.password, f.handle
		f.mu.Unlock()
		switch {
		case handle != nil && handle(w, r):
		case strings.HasPrefix(r.URL.Path, "/api/v3/"):
			f.api(w, r)
		default:
			if _, got, _ := r.BasicAuth(); got != password {
				http.Error(w, "who are you", http.StatusUnauthorized)
				return
			}
			backend.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *forge) api(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.answer != 0 {
		w.WriteHeader(f.answer)
		return
	}
	if r.Method == http.MethodGet {
		f.show(w, strings.TrimPrefix(r.URL.Path, "/api/v3/"))
		return
	}
	var status struct{ State, Description, Context, TargetURL string }
	if err := json.NewDecoder(r.Body).Decode(&status); err != nil {
		f.t.Errorf("%s: %v", r.URL.Path, err)
	}
	f.tokens = append(f.tokens, r.Header.Get("Authorization"))
	f.statuses = append(f.statuses, fmt.Sprintf("%s %s %s %s", strings.TrimPrefix(r.URL.Path, "/api/v3/repos/"), status.State, status.Context, status.Description))
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, "{}")
}

// show answers what a repository is, by its name or its number.
func (f *forge) show(w http.ResponseWriter, path string) {
	for name, id := range f.ids {
		if path == "repos/"+name || path == fmt.Sprintf("repositories/%d", id) {
			_ = json.NewEncoder(w).Encode(map[string]any{"id": id, "full_name": name})
			return
		}
	}
	http.Error(w, `{"message":"Not Found"}`, http.StatusNotFound)
}

// rename gives a repository another name.
func (f *forge) rename(from, to string) {
	f.t.Helper()
	if err := os.Rename(filepath.Join(f.dir, from+".git"), filepath.Join(f.dir, to+".git")); err != nil {
		f.t.Fatal(err)
	}
	f.set(func(f *forge) {
		f.ids[to] = f.ids[from]
		delete(f.ids, from)
	})
}

func (f *forge) set(change func(*forge)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *forge) sent() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.statuses...)
}

// work is a work tree that pushes to a repository on the forge.
type work struct {
	t   testing.TB
	dir string
}

func (f *forge) repository(name string) *work {
	f.t.Helper()
	bare := filepath.Join(f.dir, name+".git")
	w := &work{f.t, f.t.TempDir()}
	w.git("init", "-q", "--bare", "-b", "main", bare)
	w.git("init", "-q", "-b", "main", ".")
	w.git("remote", "add", "origin", bare)
	return w
}

func (w *work) git(args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes a file, commits it and returns the commit.
func (w *work) commit(name, content string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
	w.git("add", "-A")
	w.git("commit", "-q", "-m", name)
	return w.git("rev-parse", "HEAD")
}

// push pushes and returns the commit of HEAD.
func (w *work) push(refs ...string) string {
	w.t.Helper()
	w.git(append([]string{"push", "-q", "-f", "origin"}, refs...)...)
	return w.git("rev-parse", "HEAD")
}

// env is the connections over the real store, repositories and builder, with
// a stand-in for BuildKit.
type env struct {
	t       testing.TB
	dir     string
	store   *sqlite.Store
	repos   *repository.Repositories
	builder *builder.Builder
	service *github.Service
	server  *httptest.Server
	user    catalog.User
	hold    chan struct{} // builds wait for it when it is not nil
	built   sync.Map      // "ns/app:version" to the options it was built with
	config  github.Config
	ids     int
}

// Solve stands in for BuildKit: it reads the Dockerfile and finds it good
// unless it says otherwise.
func (e *env) Solve(ctx context.Context, r builder.SolveRequest, _ func(builder.Event)) (builder.SolveResult, error) {
	if e.hold != nil {
		select {
		case <-e.hold:
		case <-ctx.Done():
			return builder.SolveResult{}, ctx.Err()
		}
	}
	name := "Dockerfile"
	if r.Options.Context != "" {
		name = r.Options.Context + "/Dockerfile"
	}
	f, err := r.Tree.Open(name)
	if err != nil {
		return builder.SolveResult{}, &builder.SolveError{Outcome: catalog.OutcomeUserError, Message: "no Dockerfile"}
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(f)
	if err != nil || strings.Contains(string(text), "bad") {
		return builder.SolveResult{}, &builder.SolveError{Outcome: catalog.OutcomeUserError, Message: "the Dockerfile is bad"}
	}
	e.built.Store(r.Build.Image.Repository()+":"+r.Build.Version, r.Options)
	return builder.SolveResult{Digest: "sha256:" + strings.Repeat("1", 64), Size: 1}, nil
}

type credentials struct{}

func (credentials) Issue(catalog.BuildGrant) (builder.Credential, func()) {
	return builder.Credential{}, func() {}
}

func newEnv(t testing.TB, f *forge, change ...func(*github.Config)) *env {
	t.Helper()
	h := &env{t: t, dir: t.TempDir()}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	logger := hclog.New(&hclog.LoggerOptions{Output: testWriter{t}, Level: hclog.Info})
	h.store = sqlitetest.Open(t, h.dir)
	var err error
	h.repos, err = repository.Open(filepath.Join(h.dir, "repos"), objects.NewBudget(), nil)
	must(err)
	tags := account.New(account.Config{Users: h.store})
	h.builder, err = builder.New(builder.Config{
		Store: h.store, Sources: h.repos, Tags: tags, Solver: h, Credentials: credentials{}, RegistryHost: func() string { return "registry.example" },
		LogDir: filepath.Join(h.dir, "logs"), WorkerID: "test", Settings: builder.Settings{Parallel: 1, Timeout: time.Minute}, Logger: logger,
	})
	must(err)
	keyring, err := secrets.Open(filepath.Join(h.dir, "key"))
	must(err)
	h.config = github.Config{
		Store: h.store, Queue: h.builder, Sources: h.repos, Prospects: h.builder, Fetcher: h.repos, Secrets: keyring, BaseURL: f.URL,
		Policy: hooks.New(hooks.Config{
			Store: h.store, Submitter: h.builder, Logs: h.builder, Control: h.builder, Sources: h.repos, Prospects: h.builder, Tags: tags,
			SSHAddress: func() string { return "" }, PublicRegistry: func() string { return "" }, Logger: logger,
		}),
		KnownHosts: filepath.Join(h.dir, "known_hosts"),
		WebhookURL: func() string { return "https://fandogh.example/webhooks/github" },
		BuildURL:   func(b catalog.Build) string { return fmt.Sprintf("https://fandogh.example/%d", b.ID) },
		Pauses:     []time.Duration{10 * time.Millisecond, 20 * time.Millisecond, 20 * time.Millisecond, 20 * time.Millisecond},
		MaxPayload: 25 << 20, SyncLimit: 20,
		WorkerID: "test", Logger: logger,
	}
	for _, c := range change {
		c(&h.config)
	}
	h.user, err = h.store.CreateUser(t.Context(), catalog.NewUser{Name: "ann"})
	must(err)
	h.restart()
	return h
}

// restart makes the service anew, as a new process does.
func (e *env) restart() {
	e.t.Helper()
	var err error
	e.config.WorkerID += "x"
	if e.service, err = github.New(e.config); err != nil {
		e.t.Fatal(err)
	}
	e.server = httptest.NewServer(e.service)
	e.t.Cleanup(e.server.Close)
}

// run starts the service and the builder; the test's end stops them.
func (e *env) run() {
	e.start(e.service.Run)
	e.start(e.builder.Run)
}

func (e *env) start(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	e.t.Cleanup(func() {
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
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// image makes an image of ann's.
func (e *env) image(name string) catalog.Image {
	e.t.Helper()
	image, err := e.store.CreateImage(e.t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: name}, OwnerID: e.user.ID})
	if err != nil {
		e.t.Fatal(err)
	}
	return image
}

// connect makes an image that is connected with the test's secret.
func (e *env) connect(name, repository string, change ...func(*catalog.GitHubSettings)) catalog.Image {
	e.t.Helper()
	image := e.image(name)
	settings := catalog.GitHubSettings{Repository: repository, Secret: ptr(secret)}
	for _, c := range change {
		c(&settings)
	}
	if _, err := e.service.Connect(e.t.Context(), image, e.user.ID, settings); err != nil {
		e.t.Fatal(err)
	}
	return image
}

func ptr(s string) *string { return &s }

func sign(body []byte, with string) string {
	mac := hmac.New(sha256.New, []byte(with))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// answer is a delivery's.
type answer struct {
	status  int
	Message string
	Images  []string
}

// post sends a delivery; headers are pairs over the usual ones, "" leaves one out.
func (e *env) post(event, id string, body []byte, headers ...string) answer {
	e.t.Helper()
	request, err := http.NewRequest(http.MethodPost, e.server.URL+"/webhooks/github", strings.NewReader(string(body)))
	if err != nil {
		e.t.Fatal(err)
	}
	set := append([]string{"Content-Type", "application/json", "X-GitHub-Event", event, "X-GitHub-Delivery", id, "X-Hub-Signature-256", sign(body, secret)}, headers...)
	for i := 0; i < len(set); i += 2 {
		if request.Header.Set(set[i], set[i+1]); set[i+1] == "" {
			request.Header.Del(set[i])
		}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		e.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	a := answer{status: response.StatusCode}
	if err := json.NewDecoder(response.Body).Decode(&a); err != nil || a.Message == "" {
		e.t.Errorf("%s %s: the answer is not for people: %v", event, id, err)
	}
	return a
}

// deliver sends an event, which must be taken, under an ID that it returns.
func (e *env) deliver(event string, payload map[string]any) string {
	e.t.Helper()
	e.ids++
	id := fmt.Sprintf("id-%d", e.ids)
	body, err := json.Marshal(payload)
	if err != nil {
		e.t.Fatal(err)
	}
	if a := e.post(event, id, body); a.status != http.StatusOK {
		e.t.Fatalf("%s: answered %d %s", event, a.status, a.Message)
	}
	return id
}

func of(repository string, more ...any) map[string]any {
	p := map[string]any{"repository": map[string]any{"full_name": repository, "clone_url": "http://169.254.169.254/evil.git"}}
	for i := 0; i < len(more); i += 2 {
		p[more[i].(string)] = more[i+1]
	}
	return p
}

func pushed(repository, ref, after string) map[string]any {
	return of(repository, "ref", ref, "after", after, "deleted", strings.Trim(after, "0") == "")
}

// eventually polls until ok or a deadline.
// version returns a version, with no state when there is none.
func (e *env) version(image catalog.Image, name string) catalog.Version {
	e.t.Helper()
	v, err := e.store.Version(e.t.Context(), image.ID, name)
	if err != nil && catalog.CodeOf(err) != catalog.NotFound {
		e.t.Fatal(err)
	}
	return v
}

func (e *env) await(image catalog.Image, version string, state catalog.State) catalog.Version {
	e.t.Helper()
	var v catalog.Version
	testkit.Eventually(e.t, fmt.Sprintf("%s:%s is %s", image.Ref, version, state), func() bool {
		v = e.version(image, version)
		return v.State == state
	})
	return v
}

// processed waits until no delivery of an image waits, and returns what came of
// the newest.
func (e *env) processed(image catalog.Image) string {
	e.t.Helper()
	newest := ""
	testkit.Eventually(e.t, "deliveries of "+image.Ref.Name, func() bool {
		s := e.status(image)
		for _, d := range s.Deliveries {
			if d.State == catalog.JobWaiting || d.State == catalog.JobRunning {
				return false
			}
		}
		if len(s.Deliveries) == 0 {
			return false
		}
		newest = string(s.Deliveries[0].State) + ": " + s.Deliveries[0].Answer
		return true
	})
	return newest
}

func (e *env) status(image catalog.Image) catalog.GitHubStatus {
	e.t.Helper()
	s, err := e.service.Status(e.t.Context(), image)
	if err != nil {
		e.t.Fatal(err)
	}
	return s
}

func (e *env) versions(image catalog.Image) string {
	e.t.Helper()
	list, err := e.store.ListVersions(e.t.Context(), image.ID, catalog.VersionFilter{})
	if err != nil {
		e.t.Fatal(err)
	}
	var names []string
	for _, v := range list {
		names = append(names, v.Name)
	}
	return strings.Join(names, " ")
}
