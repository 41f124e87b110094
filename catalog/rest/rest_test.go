package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/account"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/catalog/quota"
	"github.com/fandoghpaas/fandogh/catalog/rest"
	"github.com/fandoghpaas/fandogh/catalog/retention"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/catalog/sqlite/sqlitetest"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
	"github.com/fandoghpaas/fandogh/hooks"
	"github.com/fandoghpaas/fandogh/internal/requests"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

const password = "correct horse battery"

// builtDigest is what every built version has.
var builtDigest = "sha256:" + strings.Repeat("1", 64)

func TestMain(m *testing.M) {
	openapi3filter.RegisterBodyDecoder("text/event-stream", openapi3filter.PlainBodyDecoder)
	os.Exit(m.Run())
}

// env is the API over a real store, with the users alice, bob and root.
type env struct {
	t        testing.TB
	store    *sqlite.Store
	accounts *account.Service
	logs     *fakeLogs
	control  *fakeControl
	remover  *fakeRemover
	repos    *repository.Repositories
	uploads  *hooks.Uploads
	server   *rest.Server
	url      string
	spec     routers.Router
	log      *testkit.Buffer
	users    map[string]catalog.User
	tokens   map[string]string
}

func newEnv(t testing.TB, changes ...func(*rest.Config)) *env {
	t.Helper()
	w := &env{t: t, logs: &fakeLogs{lines: map[int64][]catalog.LogLine{}}, log: &testkit.Buffer{},
		users: map[string]catalog.User{}, tokens: map[string]string{}}
	w.store = sqlitetest.Open(t, t.TempDir())
	w.remover = &fakeRemover{store: w.store}
	w.accounts = account.New(account.Config{Users: w.store})
	w.control = &fakeControl{store: w.store}
	w.logs.store = w.store
	w.openUploads()
	config := rest.Config{
		Uploads: w.uploads, Branches: w.repos, Store: w.store, Auth: w.accounts, Accounts: w.accounts, Logs: w.logs, Control: w.control, Contents: fakeContents{}, Remover: w.remover, Transfers: w.remover, Mirror: fakeMirror{},
		Origins: w.repos, Keys: fakeKeys{}, SBOMs: fakeSBOMs{}, Comparisons: fakeComparisons{}, Diagnoses: fakeDiagnoses{}, Retention: retention.New(retention.Config{Store: w.store, Images: noImages{}, Branches: w.repos}),
		Parts: func() map[string]int64 { return map[string]int64{"repos": 1000, "build_cache": 20, "database": 4096} },
		Usage: quota.New(quota.Config{
			Store: w.store, Git: func(catalog.ImageRef) int64 { return 4096 }, Log: func(int64) int64 { return 0 },
			Contents: func(context.Context, catalog.Image, catalog.Version) (map[string]int64, error) {
				return map[string]int64{"sha256:a": 8192}, nil
			},
		}),
		RegistryHost: "registry.test:8080", GitURL: "ssh://git@git.test:2222", Limits: requests.Limits{PerSecond: 1e6, Burst: 1e6}, Version: "v1.2-test",
		Logger: hclog.New(&hclog.LoggerOptions{Output: w.log, Level: hclog.Debug}),
	}
	w.connectGitHub(&config)
	for _, change := range changes {
		change(&config)
	}
	server, err := rest.New(config)
	w.must(err)
	w.server = server
	h := httptest.NewServer(server)
	t.Cleanup(h.Close)
	w.url = h.URL
	w.spec = specRouter(t)
	for _, name := range []string{"alice", "bob", "root"} {
		w.users[name], err = w.store.CreateUser(t.Context(), catalog.NewUser{Name: name, Admin: name == "root"})
		w.must(err)
		w.tokens[name], _, err = w.accounts.CreateToken(t.Context(), catalog.NewToken{UserID: w.users[name].ID, Name: "test", Scope: catalog.ScopeWrite})
		w.must(err)
	}
	w.tokens["alice-ro"], _, err = w.accounts.CreateToken(t.Context(), catalog.NewToken{UserID: w.users["alice"].ID, Name: "read", Scope: catalog.ScopeRead})
	w.must(err)
	return w
}

// noImages knows of no manifest.
type noImages struct{}

func (noImages) Manifests(d string) ([]string, error) { return []string{d}, nil }
func (noImages) PulledSince(string, time.Time) bool   { return false }
func (noImages) MovingTags(context.Context, catalog.Image) (map[string]string, error) {
	return nil, nil
}

func (e *env) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

func loadSpec(t testing.TB) *openapi3.T {
	t.Helper()
	data, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return doc
}

func specRouter(t testing.TB) routers.Router {
	t.Helper()
	router, err := gorillamux.NewRouter(loadSpec(t))
	if err != nil {
		t.Fatal(err)
	}
	return router
}

// reply is an answer whose body was read.
type reply struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

// option changes a request before it is sent.
type option func(*http.Request)

func header(name, value string) option {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// do sends a request, with a string or an object as body, by a user's token,
// and checks the answer against openapi.yaml.
func (e *env) do(user, method, path string, body any, options ...option) reply {
	e.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		data, err := json.Marshal(b)
		e.must(err)
		reader = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(e.t.Context(), method, e.url+path, reader)
	e.must(err)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if user != "" {
		req.Header.Set("Authorization", "JWT "+e.tokens[user])
	}
	req.Header.Set("Accept", api.ErrorType)
	for _, change := range options {
		change(req)
	}
	resp, err := http.DefaultClient.Do(req)
	e.must(err)
	data, err := io.ReadAll(resp.Body)
	e.must(err)
	e.must(resp.Body.Close())
	if resp.Header.Get("X-Request-Id") == "" {
		e.t.Errorf("%s %s: no request ID", method, path)
	}
	e.validate(req, resp, data)
	return reply{e.t, resp.StatusCode, resp.Header, data}
}

func (e *env) validate(req *http.Request, resp *http.Response, body []byte) {
	e.t.Helper()
	inner := req.Clone(req.Context())
	inner.URL.Scheme, inner.URL.Host = "", ""
	route, params, err := e.spec.FindRoute(inner)
	if err != nil {
		return // not in the description; TestDescription compares the two
	}
	err = openapi3filter.ValidateResponse(req.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: inner, PathParams: params, Route: route},
		Status:                 resp.StatusCode,
		Header:                 resp.Header,
		Body:                   io.NopCloser(bytes.NewReader(body)),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		e.t.Errorf("%s %s: the answer is not as openapi.yaml says: %v\n%s", req.Method, req.URL.Path, err, body)
	}
}

// expect checks the status and returns the reply.
func (r reply) expect(status int) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("got status %d, want %d: %s", r.status, status, r.body)
	}
	return r
}

// into reads the body.
func into[T any](r reply) T {
	r.t.Helper()
	var v T
	if err := json.Unmarshal(r.body, &v); err != nil {
		r.t.Fatalf("%v in %s", err, r.body)
	}
	return v
}

type wireError struct {
	Message string
	Errors  []map[string][]string
}

// fault checks a failure's status and the field it names.
func (r reply) fault(status int, field string) wireError {
	r.t.Helper()
	r.expect(status)
	e := into[wireError](r)
	if e.Message == "" || len(e.Errors) != 1 || len(e.Errors[0][field]) != 1 || e.Errors[0][field][0] != e.Message {
		r.t.Errorf("want a message and the same under %q: %s", field, r.body)
	}
	return e
}

// version makes a version of an image of alice's, and the image if there is
// none. Without an outcome its build runs.
func (e *env) version(image, version string, outcome catalog.Outcome, lines ...string) catalog.Build {
	e.t.Helper()
	ctx := e.t.Context()
	ref := catalog.ImageRef{Namespace: "alice", Name: image}
	i, err := e.store.Image(ctx, ref)
	if catalog.CodeOf(err) == catalog.NotFound {
		i, err = e.store.CreateImage(ctx, catalog.NewImage{Ref: ref, OwnerID: e.users["alice"].ID})
	}
	e.must(err)
	_, err = e.store.QueueBuilds(ctx, []catalog.NewBuild{{ImageID: i.ID, Version: version, Trigger: catalog.TriggerPush,
		Commit: strings.Repeat("ab", 20), UserID: e.users["alice"].ID}})
	e.must(err)
	b, err := e.store.ClaimBuild(ctx, "test", math.MaxInt, time.Now().Add(time.Second), time.Now().Add(time.Hour))
	e.must(err)
	for n, text := range lines {
		e.logs.add(b.ID, catalog.LogLine{Offset: time.Duration(n) * 61 * time.Second, Text: text})
	}
	if outcome != "" {
		e.finish(b, outcome)
	}
	return b
}

func (e *env) finish(b catalog.Build, outcome catalog.Outcome) {
	e.t.Helper()
	r := catalog.BuildResult{Outcome: outcome, EndedAt: time.Now(), Steps: []catalog.Step{
		{Digest: "sha256:1", Name: "[1/1] COPY . .", StartedAt: time.Now().Add(-time.Second), EndedAt: time.Now()}}}
	if outcome == catalog.OutcomeBuilt {
		r.Digest, r.Size = builtDigest, 1234
	} else {
		r.Message = "it did not work"
	}
	e.must(e.store.FinishBuild(e.t.Context(), b.ID, "test", r))
	e.logs.wake()
}

// fakeLogs keeps logs in memory, as the builder does in files.
type fakeLogs struct {
	mu      sync.Mutex
	lines   map[int64][]catalog.LogLine
	changed chan struct{}
	store   catalog.Store
}

func (f *fakeLogs) add(build int64, line catalog.LogLine) {
	f.mu.Lock()
	f.lines[build] = append(f.lines[build], line)
	f.mu.Unlock()
	f.wake()
}

func (f *fakeLogs) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed != nil {
		close(f.changed)
	}
	f.changed = make(chan struct{})
}

func (f *fakeLogs) ReadLog(_ context.Context, build int64, skip, limit int) ([]catalog.LogLine, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	lines := f.lines[build]
	lines = lines[min(skip, len(lines)):]
	if limit > 0 {
		lines = lines[:min(limit, len(lines))]
	}
	return append([]catalog.LogLine(nil), lines...), nil
}

func (f *fakeLogs) FollowLog(ctx context.Context, build int64, skip int, emit func([]catalog.LogLine) error) (catalog.Build, error) {
	for {
		f.mu.Lock()
		changed := f.changed
		f.mu.Unlock()
		b, err := f.store.Build(ctx, build)
		if err != nil {
			return b, err
		}
		lines, _ := f.ReadLog(ctx, build, skip, 0)
		skip += len(lines)
		if len(lines) > 0 {
			if err := emit(lines); err != nil {
				return b, err
			}
		}
		if b.State.Ended() {
			return b, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return b, ctx.Err()
		}
	}
}

// fakeControl does what the builder does to the store, without a worker.
type fakeControl struct{ store catalog.Store }

func (f *fakeControl) Cancel(ctx context.Context, build int64) error {
	_, err := f.store.CancelBuild(ctx, build, time.Now())
	return err
}

func (*fakeControl) Wake() {}

func (f *fakeControl) Queued(ctx context.Context, build int64) (catalog.QueuePlace, error) {
	return f.store.QueuePlace(ctx, build)
}

func (f *fakeControl) Rebuild(ctx context.Context, imageID int64, version string, userID int64, options []string) (catalog.Build, error) {
	changed, err := catalog.BuildOptions{}.ChangedBy(options)
	if err != nil {
		return catalog.Build{}, err
	}
	queued, err := f.store.QueueBuilds(ctx, []catalog.NewBuild{{ImageID: imageID, Version: version, Trigger: catalog.TriggerRebuild,
		Commit: strings.Repeat("ab", 20), UserID: userID, Options: changed}})
	if err != nil {
		return catalog.Build{}, err
	}
	return queued[0].Build, nil
}

// fakeMirror keeps one image.
type fakeMirror struct{}

func (fakeMirror) ListMirrored(context.Context) ([]catalog.MirroredImage, error) {
	return []catalog.MirroredImage{{Name: "docker.io/library/alpine", Digest: builtDigest, Bytes: 7, CheckedAt: time.Unix(1, 0), UsedAt: time.Unix(2, 0)}}, nil
}

func (fakeMirror) PruneMirrored(_ context.Context, f catalog.MirrorFilter) (catalog.Pruned, error) {
	if f.Name == "?" {
		return catalog.Pruned{}, catalog.FieldErrorf("image", "it must be an image")
	}
	if f.Name != "alpine:3" || !f.UnusedBefore.Equal(time.Date(2026, 5, 5, 0, 0, 0, 0, time.UTC)) {
		return catalog.Pruned{}, nil
	}
	return catalog.Pruned{Images: 1, Bytes: 7}, nil
}

type fakeDiagnoses struct{}

func (fakeDiagnoses) Diagnose(_ context.Context, build catalog.Build, steps []catalog.Step) (catalog.Diagnosis, error) {
	if build.Outcome != catalog.OutcomeBuilt {
		return catalog.Diagnosis{}, nil
	}
	return catalog.Diagnosis{Dockerfile: "Dockerfile", Miss: &catalog.CacheMiss{
		Line: 3, Instruction: "COPY . .", Step: steps[0], Cause: catalog.MissFiles, Since: "0.9", Files: []string{"a"}, Changed: 2, Advice: catalog.Advice{Kind: catalog.AdviceMoveUp, Line: 4},
	}}, nil
}

// fakeContents knows one image, in place of the registry.
type fakeContents struct{}

func (fakeContents) Content(_ context.Context, ref catalog.ImageRef, digest string) (api.ImageContent, error) {
	if digest != builtDigest || ref.Name == "lost" {
		return api.ImageContent{}, catalog.Errorf(catalog.NotFound, "no such image")
	}
	return api.ImageContent{
		Platform: "linux/amd64", Platforms: []string{"linux/amd64", "linux/arm64"},
		Layers:  []api.Layer{{Digest: digest, Size: 7, CreatedBy: "COPY . ."}},
		Config:  api.ImageConfig{Env: []string{"A=b"}, Cmd: []string{}, Entrypoint: []string{}, ExposedPorts: []string{}, Labels: map[string]string{}},
		History: []api.HistoryEntry{{CreatedBy: "COPY . .", Size: 7}},
	}, nil
}

// fakeRemover writes down what there was to remove.
type fakeRemover struct {
	store   catalog.Store
	removed []string
}

// Transfer implements catalog.TransferControl. There are no files to be moved.
func (f *fakeRemover) Transfer(ctx context.Context, image catalog.Image, namespace string) ([]catalog.Move, error) {
	moves, err := f.store.TransferImage(ctx, image, namespace)
	for _, m := range moves {
		if err := f.store.EndMove(ctx, m.ID); err != nil {
			return nil, err
		}
	}
	return moves, err
}

func (f *fakeRemover) Remove(ctx context.Context) {
	removals, err := f.store.Removals(ctx)
	for _, r := range removals {
		f.removed = append(f.removed, fmt.Sprint(r.Image, ":", r.Version, " ", len(r.Builds)))
		err = errors.Join(err, f.store.EndRemoval(ctx, r.ID))
	}
	if err != nil {
		f.removed = append(f.removed, err.Error())
	}
}
