package web_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/html"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/account"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/catalog/sqlite/sqlitetest"
	"github.com/fandoghpaas/fandogh/catalog/web"
	"github.com/fandoghpaas/fandogh/internal/requests"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

const password = "correct horse battery"

// evil is what a user or a build may say where any text is taken.
const evil = `"><img src=x onerror=alert(1)></code></script><script>alert('1')</script>{{.}}` + "`javascript:alert(1)" + `&<!--`

// env is the pages over a real store. ann owns ann/app, to which eve, the reader, may look; bob is a stranger; root is an administrator.
type env struct {
	t        *testing.T
	store    *sqlite.Store
	accounts *account.Service
	control  *fakeControl
	webhooks *fakeWebhooks
	remover  *fakeRemover
	operator *fakeOperator
	github   *fakeGitHub
	users    map[string]catalog.User
	image    catalog.Image
	url      string
	log      *testkit.Buffer
}

// passwordHash is that of the password, which takes its time: it is made once.
var passwordHash = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "hash")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is of a test
	ctx := context.Background()
	store, err := sqlite.Open(ctx, filepath.Join(dir, "fandogh.db"))
	if err != nil {
		panic(err)
	}
	defer store.Close() //nolint:errcheck // it is thrown away
	if _, err := account.New(account.Config{Users: store}).CreateUser(ctx, "ann", password, false); err != nil {
		panic(err)
	}
	_, hash, err := store.PasswordHash(ctx, "ann")
	if err != nil {
		panic(err)
	}
	return hash
})

func newEnv(t *testing.T, changes ...func(*web.Config)) *env {
	t.Helper()
	e := &env{t: t, store: sqlitetest.Open(t, t.TempDir()), users: map[string]catalog.User{}, log: &testkit.Buffer{}}
	e.accounts = account.New(account.Config{Users: e.store})
	e.control = &fakeControl{store: e.store}
	e.webhooks, e.remover, e.operator, e.github = &fakeWebhooks{store: e.store}, &fakeRemover{}, &fakeOperator{}, &fakeGitHub{}
	config := web.Config{
		Store: e.store, Auth: e.accounts, Accounts: e.accounts, Logs: fakeLogs{store: e.store}, Control: e.control, Running: fakeRunning{}, Contents: fakeContents{},
		Diagnoses: fakeDiagnoses{}, Files: fakeFiles{}, Histories: fakeHistories{},
		Webhooks: e.webhooks, GitHub: e.github, Retention: fakeRetention{e.store}, Usage: fakeUsage{}, Remover: e.remover, Operator: e.operator,
		RegistryHost: "registry.test:8080", GitURL: "ssh://git@git.test:2222", Limits: requests.Limits{PerSecond: 1e6, Burst: 1e6},
		Logger: hclog.New(&hclog.LoggerOptions{Output: e.log, Level: hclog.Debug}),
	}
	for _, change := range changes {
		change(&config)
	}
	server, err := web.New(config)
	e.must(err)
	h := httptest.NewServer(server)
	t.Cleanup(h.Close)
	t.Cleanup(server.EndStreams)
	e.url = h.URL
	for _, name := range []string{"ann", "bob", "eve", "root"} {
		e.users[name], err = e.store.CreateUser(t.Context(), catalog.NewUser{Name: name, PasswordHash: passwordHash(), Admin: name == "root"})
		e.must(err)
	}
	e.must(e.store.SetMember(t.Context(), "ann", e.users["eve"].ID, catalog.RoleRead))
	e.image, err = e.store.CreateImage(t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: "app"}, OwnerID: e.users["ann"].ID})
	e.must(err)
	e.build("v1", catalog.OutcomeBuilt)
	e.build("v2", catalog.OutcomeUserError)
	e.build("v3", "")
	return e
}

func (e *env) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

// build queues a build of a version and ends it; without an outcome it waits.
func (e *env) build(version string, outcome catalog.Outcome) {
	e.t.Helper()
	_, err := e.store.QueueBuilds(e.t.Context(), []catalog.NewBuild{{ImageID: e.image.ID, Version: version, Tag: evil, Trigger: catalog.TriggerPush, Commit: evil + version,
		UserID: e.users["ann"].ID, Signature: catalog.TagSignature{Kind: catalog.SignatureSSH, Verified: true, Signer: evil, Key: evil, Reason: evil}}})
	e.must(err)
	if outcome != "" {
		e.finish(version, outcome)
	}
}

// finish ends the build of a version that waits.
func (e *env) finish(version string, outcome catalog.Outcome) {
	e.t.Helper()
	ctx, now := e.t.Context(), time.Now()
	build, err := e.store.ClaimBuild(ctx, "me", 100, now, now.Add(time.Hour))
	e.must(err)
	if build.Version != version {
		e.t.Fatalf("%s waited, not %s", build.Version, version)
	}
	e.must(e.store.FinishBuild(ctx, build.ID, "me", catalog.BuildResult{Outcome: outcome, Message: evil, Digest: "sha256:" + strings.Repeat("1", 64), Size: 12_345_678,
		EndedAt: now.Add(time.Minute), Steps: []catalog.Step{{Digest: "a", Name: evil, Error: evil, Platform: evil, StartedAt: now, EndedAt: now.Add(time.Second)}}}))
}

type fakeLogs struct{ store catalog.Store }

// ReadLog has what a terminal and a browser may fall for.
func (f fakeLogs) ReadLog(_ context.Context, _ int64, skip, limit int) ([]catalog.LogLine, error) {
	lines := []catalog.LogLine{{Text: evil}, {Text: "\x1b[1;31mred\x1b[0m see https://example.com/a?b=1. and javascript:alert(1)"}, {Text: "\x1b]0;title\x07</script>"}}
	for range 1198 {
		lines = append(lines, catalog.LogLine{Text: "#4 | line"})
	}
	lines = append(lines, catalog.LogLine{Text: "#4 done 1.2s", Offset: time.Minute + 2300*time.Millisecond}, catalog.LogLine{Text: "Built"})
	lines = lines[min(skip, len(lines)):]
	if limit > 0 {
		lines = lines[:min(limit, len(lines))]
	}
	return lines, nil
}

func (f fakeLogs) FollowLog(ctx context.Context, id int64, skip int, emit func([]catalog.LogLine) error) (catalog.Build, error) {
	lines, err := f.ReadLog(ctx, id, skip, 3)
	if err == nil {
		err = emit(lines)
	}
	if err != nil {
		return catalog.Build{}, err
	}
	return f.store.Build(ctx, id)
}

type fakeControl struct {
	store     *sqlite.Store
	cancelled []int64
	rebuilt   []string // versions
	options   []string // of the last one
}

func (f *fakeControl) Cancel(_ context.Context, id int64) error {
	f.cancelled = append(f.cancelled, id)
	return nil
}

func (*fakeControl) Wake() {}

func (f *fakeControl) Queued(ctx context.Context, id int64) (catalog.QueuePlace, error) {
	place, err := f.store.QueuePlace(ctx, id)
	place.Why = evil
	return place, err
}

func (f *fakeControl) Rebuild(ctx context.Context, imageID int64, version string, _ int64, options []string) (catalog.Build, error) {
	changed, err := catalog.BuildOptions{}.ChangedBy(options)
	if err != nil {
		return catalog.Build{}, err
	}
	f.rebuilt, f.options = append(f.rebuilt, version), changed.Words(true)
	v, err := f.store.Version(ctx, imageID, version)
	if err != nil {
		return catalog.Build{}, err
	}
	return catalog.NewestBuild(ctx, f.store, v)
}

// fakeRunning has a step that runs, and one that it waited for.
type fakeRunning struct{}

func (fakeRunning) RunningSteps(int64) []catalog.Step {
	begun := time.Now().Add(-time.Minute)
	return []catalog.Step{
		{Digest: "a", Number: 1, Name: "[1/2] FROM " + evil, StartedAt: begun, EndedAt: begun.Add(time.Second), Cached: true},
		{Digest: "b", Number: 2, Name: "[2/2] RUN " + evil, StartedAt: begun.Add(time.Second), Inputs: []string{"a"}},
	}
}

type fakeDiagnoses struct{}

func (fakeDiagnoses) Diagnose(_ context.Context, build catalog.Build, steps []catalog.Step) (catalog.Diagnosis, error) {
	list := []string{evil}
	miss := &catalog.CacheMiss{Line: 3, Instruction: evil, Cause: catalog.MissFiles, Since: "v1", Files: list, Changed: 2, Args: list,
		Advice: catalog.Advice{Kind: catalog.AdviceCopyFirst, Line: 4, Copy: evil, Run: evil, Names: list}}
	if build.Version == "v2" {
		miss.Cause, miss.BaseWas, miss.BaseIs = catalog.MissBase, evil, evil
	}
	if build.Version == "v1" {
		miss.Cause, miss.Since, miss.Advice = catalog.MissArgs, "", catalog.Advice{Kind: catalog.AdviceIgnore, Names: list}
	}
	return catalog.Diagnosis{Dockerfile: evil, Lines: []catalog.DockerfileLine{{Text: evil, Steps: steps}, {Text: "# " + evil}}, Miss: miss}, nil
}

type fakeContents struct{}

func (fakeContents) PlatformImages(context.Context, catalog.ImageRef, string) ([]catalog.PlatformImage, error) {
	config, err := json.Marshal(map[string]any{"os": "linux", "author": evil, "config": map[string]any{"Env": []string{evil}}, "rootfs": map[string]any{"type": "layers", "diff_ids": []string{evil}}})
	return []catalog.PlatformImage{{Config: config, Platform: "linux/amd64"}}, err
}

func (fakeContents) Content(context.Context, catalog.ImageRef, string) (api.ImageContent, error) {
	list := []string{evil}
	return api.ImageContent{Platforms: list, Layers: []api.Layer{{Digest: evil, Size: 1, CreatedBy: evil}}, Config: api.ImageConfig{Env: list, Cmd: list, Entrypoint: list,
		ExposedPorts: list, User: evil, WorkingDir: evil, Labels: map[string]string{evil: evil}}}, nil
}

// browser keeps cookies, and follows no redirects.
type browser struct {
	*env
	client   *http.Client
	language string
}

func (e *env) browser() *browser {
	jar, err := cookiejar.New(nil)
	e.must(err)
	return &browser{env: e, language: "en", client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// signedIn is a browser in which a user has signed in.
func (e *env) signedIn(user string) *browser {
	e.t.Helper()
	b := e.browser()
	if got := b.signIn(user, password, "/"); got.StatusCode != http.StatusSeeOther {
		e.t.Fatalf("%s can't sign in: %s", user, got.Status)
	}
	return b
}

func (b *browser) signIn(user, password, next string) *answer {
	b.t.Helper()
	return b.post("/signin", url.Values{"form": {b.formToken("/signin")}, "username": {user}, "password": {password}, "next": {next}})
}

// answer is one whose body was read.
type answer struct {
	*http.Response
	body string
}

func (b *browser) do(method, path string, form url.Values, header ...string) *answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(form.Encode()))
	b.must(err)
	r.Header.Set("Accept-Language", b.language)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := b.client.Do(r)
	b.must(err)
	body, err := io.ReadAll(response.Body)
	b.must(err)
	err = response.Body.Close()
	b.must(err)
	return &answer{response, string(body)}
}

func (b *browser) get(path string, header ...string) *answer {
	b.t.Helper()
	return b.do("GET", path, nil, header...)
}

func (b *browser) post(path string, form url.Values, header ...string) *answer {
	b.t.Helper()
	return b.do("POST", path, form, header...)
}

// formToken reads the token that a page's forms have.
func (b *browser) formToken(path string) string {
	b.t.Helper()
	_, after, _ := strings.Cut(b.get(path).body, `name="form" value="`)
	token, _, found := strings.Cut(after, `"`)
	if !found {
		b.t.Fatalf("%s has no form", path)
	}
	return token
}

// elements visits the elements of a page.
func (a *answer) elements(t *testing.T, visit func(*html.Node)) {
	t.Helper()
	document, err := html.Parse(strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range document.Descendants() {
		if n.Type == html.ElementNode {
			visit(n)
		}
	}
}
