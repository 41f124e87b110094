package notify_test

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/catalog/sqlite/sqlitetest"
	"github.com/fandoghpaas/fandogh/hooks/notify"
	"github.com/fandoghpaas/fandogh/hooks/secrets"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// received is one request of a webhook.
type received struct {
	event, delivery string
	body            string
}

// listener is an address that is told.
type listener struct {
	*httptest.Server
	mu       sync.Mutex
	got      []received
	failures int // left to answer
}

func newListener(t *testing.T, secret string) *listener {
	l := &listener{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if got, want := r.Header.Get(notify.HeaderSignature), notify.Sign(body, []byte(secret)); got != want {
			t.Errorf("signature %q, want %q", got, want)
		}
		var m struct {
			Delivery  string
			Timestamp int64
		}
		if err := json.Unmarshal(body, &m); err != nil || strconv.FormatInt(m.Timestamp, 10) != r.Header.Get(notify.HeaderTimestamp) || m.Delivery != r.Header.Get(notify.HeaderDelivery) {
			t.Errorf("what is signed is not what the headers say: %s, %v", body, err)
		}
		if age := time.Since(time.Unix(m.Timestamp, 0)); age > time.Minute || age < -time.Minute {
			t.Errorf("an old timestamp: %s", age)
		}
		l.got = append(l.got, received{r.Header.Get(notify.HeaderEvent), r.Header.Get(notify.HeaderDelivery), string(body)})
		if l.failures > 0 {
			l.failures--
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "thanks")
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *listener) requests() []received {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]received(nil), l.got...)
}

type env struct {
	t       *testing.T
	store   *sqlite.Store
	service *notify.Service
	config  notify.Config
	image   catalog.Image
}

func newEnv(t *testing.T, change ...func(*notify.Config)) *env {
	t.Helper()
	dir := t.TempDir()
	store := sqlitetest.Open(t, dir)
	keyring, err := secrets.Open(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	user, err := store.CreateUser(t.Context(), catalog.NewUser{Name: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	h := &env{t: t, store: store}
	h.image, err = store.CreateImage(t.Context(), catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: "App"}, OwnerID: user.ID})
	if err != nil {
		t.Fatal(err)
	}
	ms := time.Millisecond
	config := notify.Config{Store: store, Secrets: keyring, AllowPrivate: true, Pauses: []time.Duration{ms, ms, ms, ms, ms}, WorkerID: "test", Timeout: 5 * time.Second}
	for _, c := range change {
		c(&config)
	}
	h.config = config
	h.service = notify.New(config)
	return h
}

func (e *env) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.service.Run(ctx) }()
	e.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			e.t.Errorf("Run: %v", err)
		}
	})
}

func (e *env) create(imageID int64, url, events string) catalog.Webhook {
	e.t.Helper()
	w, secret, err := e.service.Create(e.t.Context(), catalog.Webhook{Namespace: "ann", ImageID: imageID, URL: url, Events: events}, "a secret of sixteen or more")
	if err != nil || w.Sealed != nil || secret != "a secret of sixteen or more" {
		e.t.Fatalf("%+v, %q, %v", w, secret, err)
	}
	return w
}

// build takes a version to its end.
func (e *env) build(version string) {
	e.t.Helper()
	ctx, now := e.t.Context(), time.Now()
	if _, err := e.store.QueueBuilds(ctx, []catalog.NewBuild{{ImageID: e.image.ID, Version: version, Trigger: catalog.TriggerPush, Commit: "c"}}); err != nil {
		e.t.Fatal(err)
	}
	b, err := e.store.ClaimBuild(ctx, "w", math.MaxInt, now, now.Add(time.Hour))
	if err != nil {
		e.t.Fatal(err)
	}
	if err := e.store.FinishBuild(ctx, b.ID, "w", catalog.BuildResult{Outcome: catalog.OutcomeBuilt, Digest: "sha256:d", EndedAt: now}); err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) deliveries(w catalog.Webhook) []catalog.Job {
	e.t.Helper()
	jobs, err := e.service.Deliveries(e.t.Context(), "ann", w.ImageID, w.ID, catalog.Page{})
	if err != nil {
		e.t.Fatal(err)
	}
	return jobs
}

func TestEventsAreTold(t *testing.T) {
	h := newEnv(t)
	all, some := newListener(t, "a secret of sixteen or more"), newListener(t, "a secret of sixteen or more")
	h.create(0, all.URL, "")
	one := h.create(h.image.ID, some.URL, "build.finished, version.deleted")
	// What happens while the service does not run is told later.
	h.build("v1")
	h.run()
	v, err := h.store.Version(t.Context(), h.image.ID, "v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.store.DeleteVersion(t.Context(), v.ID, ""); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "everything is told", func() bool { return len(all.requests()) == 4 && len(some.requests()) == 2 })
	told := map[string]string{}
	for _, r := range all.requests() {
		told[r.event] = r.body
	}
	ofVersions := slices.DeleteFunc(catalog.WebhookEvents(), func(kind catalog.EventKind) bool { return kind == catalog.EventImageTransferred })
	if len(told) != len(ofVersions) { // others were recorded, too, the image's creation first
		t.Errorf("told of %v", told)
	}
	for _, event := range ofVersions {
		if !strings.Contains(told[string(event)], `"namespace":"ann","image":"App","version":"v1"`) {
			t.Errorf("%s: %s", event, told[string(event)])
		}
	}
	if finished := told["build.finished"]; !strings.Contains(finished, `"digest":"sha256:d"`) || !strings.Contains(finished, `"outcome":"built"`) {
		t.Errorf("build.finished: %s", finished)
	}
	testkit.Eventually(t, "the answers are kept", func() bool {
		jobs := h.deliveries(one)
		return len(jobs) == 2 && jobs[0].Answer == "200 OK: thanks" && jobs[1].State == catalog.JobDone
	})
}

// What was taken, or given up, is sent again when that is asked for, under the same ID.
func TestRedeliver(t *testing.T) {
	h := newEnv(t)
	l := newListener(t, "a secret of sixteen or more")
	w := h.create(h.image.ID, l.URL, string(catalog.EventBuildFinished))
	h.run()
	h.build("v1")
	testkit.Eventually(t, "a delivery that was taken", func() bool { jobs := h.deliveries(w); return len(jobs) == 1 && jobs[0].State == catalog.JobDone })
	job := h.deliveries(w)[0]
	if err := h.service.Redeliver(t.Context(), "ann", 0, w.ID, job.ID); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("by another scope: %v", err)
	}
	if err := h.service.Redeliver(t.Context(), "ann", h.image.ID, w.ID, job.ID); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the second delivery", func() bool { return len(l.requests()) == 2 })
	if got := l.requests(); got[0].delivery != got[1].delivery {
		t.Errorf("another ID: %+v", got)
	}
}

// A webhook of an image goes with it, with its secret, and that of the namespace stays; both are told.
func TestTransfer(t *testing.T) {
	h := newEnv(t)
	ofNamespace, ofImage := newListener(t, "a secret of sixteen or more"), newListener(t, "a secret of sixteen or more")
	h.create(0, ofNamespace.URL, "")
	h.create(h.image.ID, ofImage.URL, "")
	if _, err := h.store.CreateUser(t.Context(), catalog.NewUser{Name: "bob"}); err != nil {
		t.Fatal(err)
	}
	moves, err := h.store.TransferImage(t.Context(), h.image, "bob")
	if err == nil {
		err = h.store.EndMove(t.Context(), moves[0].ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.build("v1")
	h.run()
	testkit.Eventually(t, "everything is told", func() bool { return len(ofNamespace.requests()) == 1 && len(ofImage.requests()) == 4 })
	if body := ofNamespace.requests()[0].body; !strings.Contains(body, `"event":"image.transferred"`) || !strings.Contains(body, `"namespace":"ann","image":"App"`) || !strings.Contains(body, `"from":"ann/App","to":"bob/App"`) {
		t.Errorf("the old namespace is told %s", body)
	}
	for _, r := range ofImage.requests() { // which the listener has verified
		if !strings.Contains(r.body, `"namespace":"bob","image":"App"`) {
			t.Errorf("the image's webhook is told %s", r.body)
		}
	}
}

func TestRetries(t *testing.T) {
	h := newEnv(t)
	l := newListener(t, "a secret of sixteen or more")
	l.failures = 5
	w := h.create(0, l.URL, "build.finished")
	h.run()
	h.build("v1")
	testkit.Eventually(t, "the sixth attempt", func() bool { return len(l.requests()) == 6 })
	for _, r := range l.requests() {
		if r.delivery != l.requests()[0].delivery {
			t.Errorf("delivery %s is tried as %s", l.requests()[0].delivery, r.delivery)
		}
	}
	testkit.Eventually(t, "it is done", func() bool { return h.deliveries(w)[0].State == catalog.JobDone })
	l.mu.Lock()
	l.failures = 100
	l.mu.Unlock()
	h.build("v2")
	testkit.Eventually(t, "it is given up", func() bool { return h.deliveries(w)[0].State == catalog.JobFailed })
	if d := h.deliveries(w)[0]; d.Attempts != 6 || d.Answer != "503 Service Unavailable: not now" {
		t.Errorf("%+v", d)
	}
}

// An address may be a secret by itself: what fails is logged without it.
func TestAddressesAreNotLogged(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	var log testkit.Buffer
	h := newEnv(t, func(c *notify.Config) { c.Logger = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Trace}) })
	h.run()
	w := h.create(0, gone.URL+"/T0/sesame?key=sesame", "build.finished")
	h.build("v1")
	testkit.Eventually(t, "the delivery is given up", func() bool {
		jobs, err := h.service.Deliveries(t.Context(), "ann", 0, w.ID, catalog.Page{})
		return err == nil && len(jobs) == 1 && jobs[0].State == catalog.JobFailed
	})
	if got := log.String(); strings.Contains(got, "sesame") || !strings.Contains(got, "refused") {
		t.Errorf("logged %s", got)
	}
}

func TestPrivateAddresses(t *testing.T) {
	h := newEnv(t, func(c *notify.Config) { c.AllowPrivate = false })
	l := newListener(t, "")
	for _, url := range []string{l.URL, "http://localhost/x", "http://10.0.0.1/", "http://[::1]/", "http://169.254.169.254/latest", "ftp://example.org/", "example.org", "https://u:p@example.org/", ""} {
		_, _, err := h.service.Create(t.Context(), catalog.Webhook{Namespace: "ann", URL: url}, "")
		if catalog.CodeOf(err) != catalog.Invalid {
			t.Errorf("%q: %v", url, err)
		}
	}
	// One that was allowed once, or whose name resolves to such an address, gets
	// as far as the connection.
	strict := h.service
	h.config.AllowPrivate = true
	h.service = notify.New(h.config)
	w := h.create(0, l.URL, "build.finished")
	h.service = strict
	h.run()
	h.build("v1")
	testkit.Eventually(t, "it is given up", func() bool {
		jobs := h.deliveries(w)
		return len(jobs) == 1 && jobs[0].State == catalog.JobFailed
	})
	if answer := h.deliveries(w)[0].Answer; !strings.Contains(answer, "not sent: ") || !strings.Contains(answer, "public Internet") {
		t.Errorf("answer: %s", answer)
	}
	if len(l.requests()) > 0 {
		t.Error("a private address was asked")
	}
}

func TestControl(t *testing.T) {
	h := newEnv(t)
	ctx := t.Context()
	_, secret, err := h.service.Create(ctx, catalog.Webhook{Namespace: "ann", URL: "https://example.org/a"}, "")
	if err != nil || len(secret) < 20 {
		t.Errorf("made %q, %v", secret, err)
	}
	for what, try := range map[string]struct {
		events, secret string
	}{"unknown event": {"build.exploded", ""}, "short secret": {"", "short"}} {
		if _, _, err := h.service.Create(ctx, catalog.Webhook{Namespace: "ann", URL: "https://example.org/b", Events: try.events}, try.secret); catalog.CodeOf(err) != catalog.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
	list, err := h.service.List(ctx, "ann", 0)
	if err != nil || len(list) != 1 || list[0].Sealed != nil {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := h.service.Delete(ctx, "bob", 0, list[0].ID); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("another namespace: %v", err)
	}
	if err := h.service.Delete(ctx, "ann", h.image.ID, list[0].ID); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("an image: %v", err)
	}
	if err := h.service.Delete(ctx, "ann", 0, list[0].ID); err != nil {
		t.Error(err)
	}
	if _, err := h.service.Deliveries(ctx, "ann", 0, list[0].ID, catalog.Page{}); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("a deleted one: %v", err)
	}
}
