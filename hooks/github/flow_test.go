package github_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/hooks/github"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

func wantText(t *testing.T, what, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("%s: got %q, want %q in it", what, got, want)
	}
}

func TestTagBecomesAVersion(t *testing.T) {
	f := newForge(t)
	f.password = "sesame-token"
	h := newEnv(t, f)
	h.run()
	w := f.repository("Acme/App")
	commit := w.commit("Dockerfile", "FROM scratch\n")
	image := h.connect("shop", "Acme/App", func(s *catalog.GitHubSettings) { s.Token = ptr("sesame-token") })
	w.git("tag", "-a", "-m", "annotated", "v1.0")
	w.push("main", "v1.0")

	id := h.deliver("push", pushed("Acme/App", "refs/tags/v1.0", w.git("rev-parse", "v1.0")))
	h.deliver("create", of("Acme/App", "ref", "v1.0", "ref_type", "tag"))
	h.deliver("release", of("Acme/App", "action", "published", "release", map[string]any{"tag_name": "v1.0"}))
	v := h.await(image, "v1.0", catalog.Built)
	if v.Commit != commit || v.Trigger != catalog.TriggerGitHub {
		t.Errorf("built %+v, want commit %s", v, commit)
	}
	h.processed(image)
	builds, err := h.store.ListBuilds(t.Context(), v.ID, catalog.Page{})
	if err != nil || len(builds) != 1 {
		t.Errorf("%d builds of one push, %v", len(builds), err)
	}
	testkit.Eventually(t, "the last status", func() bool {
		sent := f.sent()
		return len(sent) > 0 && strings.Contains(sent[len(sent)-1], "success")
	})
	for _, s := range f.sent() {
		wantText(t, "status", s, "Acme/App/statuses/"+commit)
		wantText(t, "status", s, "fandogh/ann/shop v1.0 ")
	}
	if f.tokens[0] != "Bearer sesame-token" {
		t.Errorf("the API was asked with %q", f.tokens[0])
	}

	// A redelivery of a delivered one does nothing.
	body := []byte(`{"repository":{"full_name":"acme/app"},"ref":"refs/tags/v1.0","after":"` + w.git("rev-parse", "v1.0") + `"}`)
	if a := h.post("push", id, body); a.status != http.StatusOK || !strings.Contains(a.Message, "already received") || !strings.Contains(a.Message, "version v1.0") {
		t.Errorf("redelivery: %+v", a)
	}
	// A client that pushes by git finds the tag.
	tags, err := h.repos.Tags(t.Context(), image.Ref)
	if err != nil || len(tags) != 1 || tags[0].Commit != commit || tags[0].Object == commit {
		t.Errorf("tags: %+v, %v", tags, err)
	}
}

// A tag may be of a tag, and that of another. What is beyond all use, or of no commit, is said in the connection's record
// and in the delivery's, and nothing is tried again.
func TestTagsOfTags(t *testing.T) {
	f := newForge(t)
	h := newEnv(t, f)
	h.run()
	w := f.repository("acme/app")
	commit := w.commit("Dockerfile", "FROM scratch\n")
	image := h.connect("app", "acme/app")
	w.git("tag", "-a", "-m", "t", "v1")
	for i := 2; i <= 120; i++ {
		w.git("tag", "-a", "-m", "t", fmt.Sprintf("v%d", i), fmt.Sprintf("v%d", i-1))
	}
	w.git("tag", "-a", "-m", "t", "v-file", "HEAD:Dockerfile")
	w.push("v13", "v120", "v-file")
	deliver := func(tag string) string {
		h.deliver("push", pushed("acme/app", "refs/tags/"+tag, w.git("rev-parse", tag)))
		return h.processed(image)
	}
	wantText(t, "thirteen tags in a row", deliver("v13"), "done: version v13, build 1")
	if v := h.await(image, "v13", catalog.Built); v.Commit != commit {
		t.Errorf("built %s, want %s", v.Commit, commit)
	}
	for tag, why := range map[string]string{
		"v120":   "the tag is a chain of too many nested tags; tag the commit itself",
		"v-file": "the tag does not point to a commit; tag a commit to build it",
	} {
		wantText(t, tag, deliver(tag), "failed: "+why)
		if v := h.version(image, tag); v.State != "" {
			t.Errorf("%s is %s", tag, v.State)
		}
		status := h.status(image)
		if i := slices.IndexFunc(status.Refs, func(r catalog.SourceRef) bool { return r.Name == "refs/tags/"+tag }); i < 0 || !strings.Contains(status.Refs[i].Note, why) {
			t.Errorf("%s is recorded as %+v", tag, status.Refs)
		}
		if n := status.Deliveries[0].Attempts; n != 1 {
			t.Errorf("%s was tried %d times", tag, n)
		}
	}
}

func TestBuiltVersionsNeverChange(t *testing.T) {
	f := newForge(t)
	h := newEnv(t, f)
	h.run()
	w := f.repository("acme/app")
	first := w.commit("Dockerfile", "FROM scratch\n")
	w.git("tag", "v1")
	w.push("v1")
	image := h.connect("app", "acme/app")
	h.deliver("push", pushed("acme/app", "refs/tags/v1", first))
	h.await(image, "v1", catalog.Built)

	second := w.commit("file", "2")
	w.git("tag", "-f", "v1")
	w.push("v1")
	h.deliver("push", pushed("acme/app", "refs/tags/v1", second))
	wantText(t, "a moved tag", h.processed(image), "done: refused: version v1 is already built and never changes")
	h.deliver("delete", of("acme/app", "ref", "v1", "ref_type", "tag"))
	wantText(t, "a deleted tag", h.processed(image), "done: deleted on GitHub")
	if v := h.version(image, "v1"); v.State != catalog.Built || v.Commit != first {
		t.Errorf("v1 is %s of %s", v.State, v.Commit)
	}

	// A tag that is here already, of another commit.
	w.git("tag", "v2")
	w.push("v2")
	if err := h.repos.SetTag(t.Context(), image.Ref, "v2", first); err != nil {
		t.Fatal(err)
	}
	h.deliver("push", pushed("acme/app", "refs/tags/v2", second))
	wantText(t, "another's tag", h.processed(image), "done: refused: ")
	if h.version(image, "v2").State != "" {
		t.Error("v2 is built")
	}
}

func TestFailedBuildAndItsNextTry(t *testing.T) {
	f := newForge(t)
	h := newEnv(t, f)
	h.run()
	w := f.repository("acme/app")
	bad := w.commit("Dockerfile", "bad\n")
	w.git("tag", "v1")
	w.push("v1")
	image := h.connect("app", "acme/app", func(s *catalog.GitHubSettings) { s.Token = ptr("t") })
	f.set(func(f *forge) { f.password = "t" })
	h.deliver("push", pushed("acme/app", "refs/tags/v1", bad))
	h.await(image, "v1", catalog.BuildFailed)
	h.deliver("create", of("acme/app", "ref", "v1", "ref_type", "tag"))
	wantText(t, "the same push again", h.processed(image), "already handled: version v1, build 1")

	good := w.commit("Dockerfile", "FROM scratch\n")
	w.git("tag", "-f", "v1")
	w.push("v1")
	h.deliver("push", pushed("acme/app", "refs/tags/v1", good))
	if v := h.await(image, "v1", catalog.Built); v.Commit != good {
		t.Errorf("built %s", v.Commit)
	}
	testkit.Eventually(t, "both ends are told", func() bool {
		all := strings.Join(f.sent(), "\n")
		return strings.Contains(all, bad+" failure fandogh/ann/app v1 the Dockerfile is bad") && strings.Contains(all, good+" success")
	})
}

func TestBranches(t *testing.T) {
	f := newForge(t)
	h := newEnv(t, f)
	h.hold = make(chan struct{})
	h.run()
	w := f.repository("acme/app")
	w.commit("Dockerfile", "FROM scratch\n")
	image := h.connect("app", "acme/app", func(s *catalog.GitHubSettings) { s.Branches = ptr("main feature/*") })
	push := func(branch string) (version string) {
		commit := w.commit("file", branch+strings.Repeat("x", len(w.git("log", "--oneline"))))
		w.push("HEAD:refs/heads/" + branch)
		h.deliver("push", pushed("acme/app", "refs/heads/"+branch, commit))
		h.processed(image)
		return strings.ReplaceAll(branch, "/", "-") + "-" + commit[:7]
	}
	running := push("main")
	h.await(image, running, catalog.Building)
	w.git("tag", "v1")
	w.push("v1")
	h.deliver("push", pushed("acme/app", "refs/tags/v1", w.git("rev-parse", "HEAD")))
	waiting := push("feature/a")
	h.await(image, waiting, catalog.Pending)
	other := push("main")
	h.await(image, other, catalog.Pending)
	newest := push("feature/a")
	if v := h.version(image, waiting); v.State != catalog.Failed {
		t.Errorf("the superseded build is %s", v.State)
	}
	for version, state := range map[string]catalog.State{running: catalog.Building, "v1": catalog.Pending, other: catalog.Pending, newest: catalog.Pending} {
		if v := h.version(image, version); v.State != state {
			t.Errorf("%s is %s, want %s", version, v.State, state)
		}
	}
	close(h.hold)
	for _, version := range []string{running, "v1", other, newest} {
		h.await(image, version, catalog.Built)
	}
	push("elsewhere")
	wantText(t, "another branch", h.processed(image), "branch elsewhere is not built")
	w.git("commit", "-q", "--allow-empty", "-m", "words [skip ci]")
	w.push("HEAD:refs/heads/main")
	h.deliver("push", pushed("acme/app", "refs/heads/main", w.git("rev-parse", "HEAD")))
	wantText(t, "a commit that asks for it", h.processed(image), "the commit's message asks to skip it")
	build, err := catalog.NewestBuild(t.Context(), h.store, h.version(image, newest))
	if want := f.URL + "/acme/app"; err != nil || build.Options.Source != want || build.Options.Branch != "feature/a" {
		t.Errorf("built with %+v, %v; want the source %q", build.Options, err, want)
	}
}

func TestMonorepo(t *testing.T) {
	f := newForge(t)
	h := newEnv(t, f)
	h.run()
	w := f.repository("acme/mono")
	w.commit("api/Dockerfile", "FROM scratch\n")
	w.commit("web/Dockerfile", "FROM scratch\n")
	settings := func(dir string) func(*catalog.GitHubSettings) {
		return func(s *catalog.GitHubSettings) {
			s.Paths, s.Context, s.Tags = ptr(dir+" shared/**"), ptr(dir), ptr("*")
		}
	}
	api, web := h.connect("api", "acme/mono", settings("api")), h.connect("web", "acme/mono", settings("web"))
	release := func(tag string) {
		w.git("tag", tag)
		commit := w.push(tag)
		h.deliver("push", pushed("acme/mono", "refs/tags/"+tag, commit))
		for _, image := range []catalog.Image{api, web} {
			h.processed(image)
			for _, v := range strings.Fields(h.versions(image)) {
				h.await(image, v, catalog.Built)
			}
		}
	}
	release("v1")
	w.commit("web/page", "2")
	release("v2")
	w.commit("shared/lib/x", "3")
	release("v3")
	w.commit("README", "4")
	release("v4")
	if got := h.versions(api); got != "v3 v1" {
		t.Errorf("api: %s", got)
	}
	if got := h.versions(web); got != "v3 v2 v1" {
		t.Errorf("web: %s", got)
	}
	wantText(t, "an unchanged one", h.processed(api), `no file that matches "api shared/**" differs from version v3`)
	if options, ok := h.built.Load("ann/api:v3"); !ok || options.(catalog.BuildOptions).Context != "api" {
		t.Errorf("built with %+v", options)
	}
}

func TestSync(t *testing.T) {
	f := newForge(t)
	h := newEnv(t, f)
	h.run()
	w := f.repository("acme/app")
	w.commit("Dockerfile", "FROM scratch\n")
	for _, tag := range []string{"v1.9", "v1.10", "v1.2", "other", "v.bad..name"} {
		if tag != "v.bad..name" {
			w.git("tag", tag)
		}
	}
	w.push("--tags")
	h.config.SyncLimit = 2
	h.restart()
	h.start(h.service.Run)
	image := h.connect("app", "acme/app")
	if err := h.service.Sync(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	h.await(image, "v1.10", catalog.Built)
	h.await(image, "v1.9", catalog.Built)
	h.processed(image)
	if h.version(image, "v1.2").State != "" {
		t.Error("the limit was not kept")
	}
	if err := h.service.Sync(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	h.await(image, "v1.2", catalog.Built)
	if got := h.versions(image); strings.Contains(got, "other") {
		t.Errorf("built %s", got)
	}
}

// The service that took the delivery dies before anything was done.
func TestNothingIsLost(t *testing.T) {
	f := newForge(t)
	h := newEnv(t, f)
	w := f.repository("acme/app")
	commit := w.commit("Dockerfile", "FROM scratch\n")
	w.git("tag", "v1")
	w.push("v1")
	image := h.connect("app", "acme/app")
	h.deliver("push", pushed("acme/app", "refs/tags/v1", commit))
	// The delivery was even begun by a process that is gone.
	if _, err := h.store.ClaimJob(t.Context(), []catalog.JobKind{"github.delivery"}, "dead", math.MaxInt, time.Now(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	h.restart()
	h.run()
	h.await(image, "v1", catalog.Built)
}

func TestRemoteTrouble(t *testing.T) {
	f := newForge(t)
	h := newEnv(t, f)
	h.run()
	w := f.repository("acme/app")
	commit := w.commit("Dockerfile", "FROM scratch\n")
	w.git("tag", "v1")
	w.push("v1")
	image := h.connect("app", "acme/app")

	// Private without a token: given up, and a redelivery tries again.
	f.set(func(f *forge) { f.password = "secret" })
	id := h.deliver("push", pushed("acme/app", "refs/tags/v1", commit))
	wantText(t, "without a token", h.processed(image), "failed: access to the repository was denied")
	f.set(func(f *forge) { f.password = "" })
	body := []byte(`{"repository":{"full_name":"acme/app"},"ref":"refs/tags/v1","after":"` + commit + `"}`)
	if a := h.post("push", id, body); a.status != http.StatusOK || !strings.Contains(a.Message, "checking ") {
		t.Errorf("redelivery of a failed one: %+v", a)
	}
	h.await(image, "v1", catalog.Built)

	// A ref that the remote shows only later; one that never comes; one that moved on.
	w.git("tag", "v2")
	h.deliver("push", pushed("acme/app", "refs/tags/v3", commit))
	wantText(t, "a ref that never comes", h.processed(image), "done: the ref has since been deleted")
	w.push("v2")
	h.deliver("push", pushed("acme/app", "refs/tags/v2", strings.Repeat("1", 40)))
	wantText(t, "a ref that moved on", h.processed(image), "done: the ref has since moved")

	// A redirect to elsewhere is refused, also from a forge on this network.
	inside := newForge(t)
	f.set(func(f *forge) {
		f.handle = func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, inside.URL+r.URL.RequestURI(), http.StatusFound)
			return true
		}
	})
	h.deliver("push", pushed("acme/app", "refs/tags/v2", commit))
	wantText(t, "a redirect", h.processed(image), "failed: request to "+inside.URL+" refused")
}

// What a connection builds is built as who made it, who must not be disabled.
func TestConnectionsOfTheDisabledRest(t *testing.T) {
	f := newForge(t)
	h := newEnv(t, f)
	h.run()
	w := f.repository("Acme/App")
	w.commit("Dockerfile", "FROM scratch\n")
	image := h.connect("shop", "Acme/App")
	set := func(disabled bool) {
		t.Helper()
		if _, err := h.store.UpdateUser(t.Context(), image.OwnerID, catalog.UserUpdate{Disabled: &disabled}); err != nil {
			t.Fatal(err)
		}
	}
	set(true)
	w.git("tag", "v1.0")
	w.push("main", "v1.0")
	h.deliver("push", pushed("Acme/App", "refs/tags/v1.0", w.git("rev-parse", "v1.0")))
	h.processed(image)
	status := h.status(image)
	if len(status.Deliveries) != 1 || !strings.Contains(status.Deliveries[0].Answer, "is disabled") || h.versions(image) != "" {
		t.Errorf("a disabled user's connection: %+v, versions %s", status.Deliveries, h.versions(image))
	}
	set(false)
	h.deliver("push", pushed("Acme/App", "refs/tags/v1.0", w.git("rev-parse", "v1.0")))
	h.await(image, "v1.0", catalog.Built)
}

// admission refuses what it is told to.
type admission struct {
	refuse func(more catalog.Amounts) error
}

func (a admission) Admit(_ context.Context, _ string, more catalog.Amounts) error {
	return a.refuse(more)
}

func (a admission) Reserve(_ context.Context, _ string, _ map[string]int64, more catalog.Amounts) (func(), error) {
	return func() {}, a.refuse(more)
}

// A delivery over a quota is refused for good, and says so; on a disk that is nearly full it is tried again. Neither fetches anything.
func TestNoRoomForADelivery(t *testing.T) {
	var refusal atomic.Pointer[error]
	var most, asked atomic.Int64
	most.Store(1 << 20)
	f := newForge(t)
	h := newEnv(t, f, func(c *github.Config) {
		c.Admission = admission{func(more catalog.Amounts) error {
			if more.Bytes > most.Load() {
				asked.Add(1)
				return catalog.Errorf(catalog.Forbidden, "this is too much")
			}
			if err := refusal.Load(); err != nil {
				return *err
			}
			return nil
		}}
	})
	refuse := func(err error) { refusal.Store(&err) }
	h.run()
	w := f.repository("Acme/App")
	w.commit("Dockerfile", "FROM scratch\n")
	image := h.connect("shop", "Acme/App")
	w.git("tag", "v1.0")
	w.git("tag", "v2.0")
	w.commit("large", strings.Repeat("abc", 1000))
	w.git("tag", "v3.0")
	w.push("main", "v1.0", "v2.0", "v3.0")
	refuse(catalog.Errorf(catalog.Forbidden, "namespace ann uses too much"))
	h.deliver("push", pushed("Acme/App", "refs/tags/v1.0", w.git("rev-parse", "v1.0")))
	h.processed(image)
	if d := h.status(image).Deliveries; len(d) != 1 || d[0].Answer != "refused: namespace ann uses too much" || h.versions(image) != "" {
		t.Errorf("over a quota: %+v, versions %s", d, h.versions(image))
	}
	most.Store(100)
	refusal.Store(nil)
	h.deliver("push", pushed("Acme/App", "refs/tags/v3.0", w.git("rev-parse", "v3.0")))
	testkit.Eventually(t, "what is fetched is refused", func() bool {
		return strings.Contains(fmt.Sprint(h.status(image).Deliveries), "refused: this is too much")
	})
	if h.versions(image) != "" || asked.Load() != 1 {
		t.Errorf("over a quota by what was fetched: versions %s, asked %d times", h.versions(image), asked.Load())
	}
	most.Store(1 << 20)
	refuse(catalog.Wrap(catalog.Unavailable, catalog.ErrNearlyFull, "the disk is nearly full"))
	h.deliver("push", pushed("Acme/App", "refs/tags/v2.0", w.git("rev-parse", "v2.0")))
	testkit.Eventually(t, "the delivery was tried", func() bool {
		return strings.Contains(fmt.Sprint(h.status(image).Deliveries), "the disk is nearly full")
	})
	refusal.Store(nil)
	h.deliver("create", of("Acme/App", "ref", "v2.0", "ref_type", "tag"))
	h.await(image, "v2.0", catalog.Built)
}
