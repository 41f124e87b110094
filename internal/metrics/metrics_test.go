package metrics_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/sqlite/sqlitetest"
	"github.com/fandoghpaas/fandogh/internal/metrics"
)

// scrape returns what Prometheus would read.
func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("status %d: %s", answer.Code, answer.Body)
	}
	return answer.Body.String()
}

// values are the samples of a scrape whose names match.
func values(text, names string) []string {
	var found []string
	for line := range strings.Lines(text) {
		if regexp.MustCompile(`^(` + names + `)[ {]`).MatchString(line) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// counted is a scrape without what is 0.
func counted(text string) string { return regexp.MustCompile(`(?m)^.* 0\n`).ReplaceAllString(text, "") }

func want(t *testing.T, text, names string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, values(text, names)); diff != "" {
		t.Errorf("%s: %s", names, diff)
	}
}

// used returns instruments each of which has a value.
func used(t *testing.T) *metrics.Metrics {
	t.Helper()
	m := metrics.New("v1.0-test", hclog.NewNullLogger())
	m.Pushed(1000, time.Second, false)
	m.Pushed(24, time.Second, true)
	handler := m.HTTP("rest", func(*http.Request) string { return "/api/images" }, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/images", nil))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "BREW", "/api/images", nil))
	err := m.Watch(
		metrics.Gauge{Name: "builds", Help: "Builds.", Label: "state", Read: func(context.Context) ([]metrics.Value, error) { return []metrics.Value{{"waiting", 3}}, nil }},
		metrics.Gauge{Name: "broken", Help: "Can't be read.", Read: metrics.Single(func(context.Context) (float64, error) { return 0, errors.New("away") })},
	)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestWhatIsCounted(t *testing.T) {
	text := scrape(t, used(t))
	want(t, text, "fandogh_pushes_total", `fandogh_pushes_total{result="ok"} 1`, `fandogh_pushes_total{result="refused"} 1`)
	want(t, text, "fandogh_push_received_bytes_total", "fandogh_push_received_bytes_total 1024")
	want(t, text, "fandogh_http_requests_total",
		`fandogh_http_requests_total{code="418",interface="rest",method="get",route="/api/images"} 1`,
		`fandogh_http_requests_total{code="418",interface="rest",method="unknown",route="/api/images"} 1`) // a method is what a client likes
	want(t, text, "fandogh_builds", `fandogh_builds{state="waiting"} 3`)
	want(t, text, "fandogh_broken")
	if !strings.Contains(text, `version="v1.0-test"`) || len(values(text, "go_goroutines|process_open_fds")) != 2 {
		t.Errorf("no build info, Go or process metrics:\n%s", text)
	}
}

func TestNamesFollowTheConventions(t *testing.T) {
	problems, err := promlint.New(strings.NewReader(scrape(t, used(t)))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestCountersBeginAtZero looks for the counters of which all labels are known before anything happened: Prometheus sees no increase in
// a counter that begins at 1.
func TestCountersBeginAtZero(t *testing.T) {
	text := scrape(t, metrics.New("v1.0-test", hclog.NewNullLogger()))
	for names, want := range map[string]int{
		"fandogh_builds_total": len(catalog.Outcomes), "fandogh_builds_queued_total": len(catalog.Triggers), "fandogh_pushes_total": 2,
		"fandogh_retention_removed_total": 3, "fandogh_retention_removed_bytes_total": 2,
	} {
		found := values(text, names)
		if len(found) != want {
			t.Errorf("%d values of %s, want %d: %s", len(found), names, want, found)
		}
		for _, line := range found {
			if !strings.HasSuffix(line, " 0") {
				t.Errorf("not 0: %s", line)
			}
		}
	}
}

// Where nothing is counted, what would be counted is not touched.
func TestNothingIsCounted(t *testing.T) {
	var m *metrics.Metrics
	if m.Handler() != nil {
		t.Error("there is a handler")
	}
	if err := m.Watch(metrics.Gauge{Name: "a"}); err != nil {
		t.Error(err)
	}
	m.Pushed(1, time.Second, false)
	m.Retained(catalog.Removed{Built: 1})
	if m.Store(nil) != nil {
		t.Error("the store is in another")
	}
	next := http.NotFoundHandler()
	if got := m.HTTP("rest", nil, next); reflect.ValueOf(got).Pointer() != reflect.ValueOf(next).Pointer() {
		t.Error("the handler is in another")
	}
}

func TestTwoGaugesOfOneName(t *testing.T) {
	gauge := metrics.Gauge{Name: "twice", Help: "Twice.", Read: metrics.Single(func(context.Context) (float64, error) { return 1, nil })}
	if err := metrics.New("", hclog.NewNullLogger()).Watch(gauge, gauge); err == nil {
		t.Error("no error")
	}
}

// TestTheHandlersWriter looks for what a registry needs to send files without copying them.
func TestTheHandlersWriter(t *testing.T) {
	m := metrics.New("", hclog.NewNullLogger())
	server := httptest.NewServer(m.HTTP("registry", nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, ok := w.(io.ReaderFrom); !ok {
			t.Error("the writer is no io.ReaderFrom")
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Error(err)
		}
	})))
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close() // empty
}

func TestBuildsAndJobs(t *testing.T) {
	m := metrics.New("", hclog.NewNullLogger())
	inner := sqlitetest.Open(t, t.TempDir())
	store := m.Store(inner)
	ctx, now := t.Context(), time.Now().Truncate(time.Microsecond)
	user, err := store.CreateUser(ctx, catalog.NewUser{Name: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	image, err := store.CreateImage(ctx, catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: "app"}, OwnerID: user.ID})
	if err != nil {
		t.Fatal(err)
	}
	namespace, err := store.Namespace(ctx, "ann")
	if err != nil {
		t.Fatal(err)
	}
	build := func(version string) int64 {
		queued, err := store.QueueBuilds(ctx, []catalog.NewBuild{{ImageID: image.ID, Version: version, Trigger: catalog.TriggerPush, Commit: strings.Repeat("a", 40), UserID: user.ID}})
		if err != nil {
			t.Fatal(err)
		}
		return queued[0].ID
	}
	claim := func() {
		if _, err := store.ClaimBuild(ctx, "w", math.MaxInt, now, now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	built, cancelled, lost := build("v1"), build("v2"), build("v3")
	build("v1") // attaches
	claim()
	if err := store.ReleaseBuild(ctx, built, "w", now, false); err != nil {
		t.Fatal(err)
	}
	claim() // again: it has waited once
	if _, err := store.CancelBuild(ctx, cancelled, now); err != nil {
		t.Fatal(err)
	}
	if err := store.FinishBuild(ctx, built, "w", catalog.BuildResult{Outcome: catalog.OutcomeBuilt, Digest: "sha256:" + strings.Repeat("b", 64), EndedAt: now.Add(3 * time.Second)}); err != nil {
		t.Fatal(err)
	}
	claim()
	if err := inner.ReleaseBuild(ctx, lost, "w", now, false); err != nil {
		t.Fatal(err)
	}
	if err := store.FinishBuild(ctx, lost, "w", catalog.BuildResult{Outcome: catalog.OutcomeTimeout, EndedAt: now}); catalog.CodeOf(err) != catalog.Conflict {
		t.Fatal(err)
	}
	for i, end := range []func(id int64) error{
		func(id int64) error { return store.EndJob(ctx, id, "w", catalog.JobDone, "", now) },
		func(id int64) error { return store.RetryJob(ctx, id, "w", now.Add(time.Hour), "", false) },
	} {
		if _, err := store.PutJobs(ctx, []catalog.NewJob{{Kind: "webhook", Key: string(rune('a' + i)), NamespaceID: namespace.ID}}, now); err != nil {
			t.Fatal(err)
		}
		job, err := store.ClaimJob(ctx, []catalog.JobKind{"webhook"}, "w", math.MaxInt, now, now.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if err := end(job.ID); err != nil {
			t.Fatal(err)
		}
	}
	text := scrape(t, m)
	want(t, counted(text), "fandogh_builds_queued_total", `fandogh_builds_queued_total{trigger="push"} 3`)
	want(t, counted(text), "fandogh_builds_total", `fandogh_builds_total{outcome="built"} 1`, `fandogh_builds_total{outcome="cancelled"} 1`)
	want(t, text, "fandogh_build_duration_seconds_(sum|count)", `fandogh_build_duration_seconds_sum{outcome="built"} 3`, `fandogh_build_duration_seconds_count{outcome="built"} 1`)
	want(t, text, "fandogh_build_wait_seconds_count", "fandogh_build_wait_seconds_count 2")
	want(t, text, "fandogh_jobs_total", `fandogh_jobs_total{kind="webhook",result="done"} 1`, `fandogh_jobs_total{kind="webhook",result="retried"} 1`)
}

// TestClockThatJumpsBack has a build that ends before it began, and begins before it was asked for: the sum of a histogram never becomes less.
func TestClockThatJumpsBack(t *testing.T) {
	m := metrics.New("", hclog.NewNullLogger())
	store := m.Store(sqlitetest.Open(t, t.TempDir()))
	ctx, now := t.Context(), time.Now().Add(-24*time.Hour).Truncate(time.Microsecond)
	user, err := store.CreateUser(ctx, catalog.NewUser{Name: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	image, err := store.CreateImage(ctx, catalog.NewImage{Ref: catalog.ImageRef{Namespace: "ann", Name: "app"}, OwnerID: user.ID})
	if err != nil {
		t.Fatal(err)
	}
	queued, err := store.QueueBuilds(ctx, []catalog.NewBuild{{ImageID: image.ID, Version: "v1", Trigger: catalog.TriggerPush, Commit: strings.Repeat("a", 40), UserID: user.ID}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.ClaimBuild(ctx, "w", math.MaxInt, now, now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := store.FinishBuild(ctx, queued[0].ID, "w", catalog.BuildResult{Outcome: catalog.OutcomeUserError, EndedAt: now.Add(-24 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	text := scrape(t, m)
	want(t, text, "fandogh_build_duration_seconds_sum", `fandogh_build_duration_seconds_sum{outcome="user_error"} 0`)
	want(t, text, "fandogh_build_wait_seconds_sum", "fandogh_build_wait_seconds_sum 0")
}
