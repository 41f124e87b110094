package rest_test

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/rest"
	"github.com/fandoghpaas/fandogh/internal/requests"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

func TestBodies(t *testing.T) {
	w := newEnv(t)
	for _, row := range []struct {
		name, body string
		status     int
		field      string
	}{
		{"no JSON", `name`, 400, "body"},
		{"cut off", `{"name": "a`, 400, "body"},
		{"two values", `{"name": "a"} {}`, 400, "body"},
		{"an array", `[]`, 400, "body"},
		{"null", `null`, 400, "body"},
		{"empty", ``, 400, "body"},
		{"bad UTF-8", "{\"name\": \"\xff\"}", 400, "body"},
		{"unknown field", `{"name": "a", "title": "b"}`, 400, "title"},
		{"other case", `{"NAME": "a"}`, 400, "NAME"},
		{"number", `{"name": 1}`, 400, "name"},
		{"object", `{"name": {}}`, 400, "name"},
		{"null name", `{"name": null}`, 400, "name"},
		{"too large", `{"name": "` + strings.Repeat("a", 1<<20) + `"}`, 413, "detail"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := w.do("alice", "POST", "/api/images", row.body)
			r.t = t
			r.fault(row.status, row.field)
		})
	}
	for _, contentType := range []string{"", "text/plain", "application/json; charset=latin1", "nonsense;;"} {
		w.do("alice", "POST", "/api/images", `{"name":"a"}`, header("Content-Type", contentType)).fault(http.StatusUnsupportedMediaType, "Content-Type")
	}
	w.do("alice", "POST", "/api/images", `{"name":"a"}`, header("Content-Type", "application/json; charset=UTF-8")).expect(http.StatusOK)

	// What curl sends for -d '{…}'.
	asForm := header("Content-Type", "application/x-www-form-urlencoded")
	w.do("alice", "POST", "/api/images", ` {"name":"by-curl"}`, asForm).expect(http.StatusOK)
	w.do("alice", "GET", "/api/images/by-curl/versions", nil).expect(http.StatusOK)
	w.do("alice", "POST", "/api/images", `{"nam":"a"}`, asForm).fault(http.StatusBadRequest, "nam")
}

func TestAddresses(t *testing.T) {
	w := newEnv(t)
	w.do("alice", "GET", "/api/images/%ff/versions", nil).fault(http.StatusBadRequest, "path")
	w.do("alice", "GET", "/api/images?state=%ff", nil).fault(http.StatusBadRequest, "state")
	w.do("alice", "GET", "/api/images?x=%zz", nil).fault(http.StatusBadRequest, "query")
	for _, name := range []string{"%00", "a%2Fb", "..%2F..", "%E2%80%AE", "'%20OR%201=1"} {
		w.do("alice", "GET", "/api/images/"+name+"/versions", nil).fault(http.StatusNotFound, "detail")
	}
	w.do("alice", "GET", "/api/images", nil, header("ACTIVE-NAMESPACE", "a\tb")).fault(http.StatusNotFound, "detail")
}

func TestETag(t *testing.T) {
	w := newEnv(t)
	w.version("app", "1.0", catalog.OutcomeBuilt)
	tag := w.do("alice", "GET", "/api/images", nil).expect(http.StatusOK).header.Get("ETag")
	if r := w.do("alice", "GET", "/api/images", nil, header("If-None-Match", `"x", `+tag)).expect(http.StatusNotModified); len(r.body) > 0 {
		t.Errorf("304 with %s", r.body)
	}
	if head := w.do("alice", "HEAD", "/api/images", nil).expect(http.StatusOK); head.header.Get("ETag") != tag || len(head.body) > 0 {
		t.Errorf("HEAD has ETag %s and body %q", head.header.Get("ETag"), head.body)
	}
	w.version("app", "2.0", catalog.OutcomeBuilt)
	if changed := w.do("alice", "GET", "/api/images", nil, header("If-None-Match", tag)).expect(http.StatusOK).header.Get("ETag"); changed == tag {
		t.Error("the list changed, its ETag did not")
	}
}

func TestGzip(t *testing.T) {
	w := newEnv(t)
	text := strings.Repeat("the same line again and again\n", 1000)
	w.version("app", "1.0", catalog.OutcomeBuilt, strings.Split(strings.TrimSuffix(text, "\n"), "\n")...)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+builds+"/1/log", nil)
	w.must(err)
	req.Header.Set("Authorization", "JWT "+w.tokens["alice"])
	req.Header.Set("Accept-Encoding", "gzip") // set by hand, the client leaves the answer as it is
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	defer func() { w.must(resp.Body.Close()) }()
	if resp.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("not compressed: %v", resp.Header)
	}
	unzipped, err := gzip.NewReader(resp.Body)
	w.must(err)
	got, err := io.ReadAll(unzipped)
	w.must(err)
	if string(got) != text {
		t.Errorf("got %d bytes of %d", len(got), len(text))
	}
}

func TestRequestIDsAreInTheLog(t *testing.T) {
	w := newEnv(t)
	r := w.do("alice", "POST", "/api/images", map[string]string{"name": "app"}).expect(http.StatusOK)
	id := r.header.Get("X-Request-Id")
	for _, want := range []string{"image created", "status=200"} {
		found := false
		for line := range strings.SplitSeq(w.log.String(), "\n") {
			found = found || strings.Contains(line, want) && strings.Contains(line, id)
		}
		if !found {
			t.Errorf("no line with %q and the ID in:\n%s", want, w.log.String())
		}
	}
	if strings.Contains(w.log.String(), w.tokens["alice"]) {
		t.Error("the log holds a token")
	}
}

// panicking is a part that breaks.
type panicking struct{ catalog.BuildLogs }

func (panicking) ReadLog(context.Context, int64, int, int) ([]catalog.LogLine, error) {
	panic("secret")
}

func TestPanicsAreAnswered(t *testing.T) {
	w := newEnv(t, func(c *rest.Config) { c.Logs = panicking{} })
	w.version("app", "1.0", catalog.OutcomeBuilt)
	e := w.do("alice", "GET", builds, nil).fault(http.StatusInternalServerError, "detail")
	if strings.Contains(e.Message, "secret") || !strings.Contains(w.log.String(), "secret") {
		t.Errorf("told %q", e.Message)
	}
}

func TestLimits(t *testing.T) {
	w := newEnv(t, func(c *rest.Config) { c.Limits = requests.Limits{PerSecond: 0.01, Burst: 3} })
	for _, user := range []string{"alice", "bob", ""} { // each has a measure of their own
		for range 3 {
			if r := w.do(user, "GET", "/api/accounts", nil); r.status == http.StatusTooManyRequests {
				t.Fatalf("%q limited within the burst", user)
			}
		}
		r := w.do(user, "GET", "/api/accounts", nil)
		r.fault(http.StatusTooManyRequests, "detail")
		if seconds, err := strconv.Atoi(r.header.Get("Retry-After")); err != nil || seconds < 50 || seconds > 100 {
			t.Errorf("Retry-After: %q", r.header.Get("Retry-After"))
		}
	}
}

func TestMissingParts(t *testing.T) {
	if _, err := rest.New(rest.Config{}); err == nil {
		t.Error("an API without parts")
	}
}

func TestHealth(t *testing.T) {
	var broken atomic.Bool
	var asked atomic.Int32
	checks := []rest.Check{
		{Name: "database", Ping: func(context.Context) error { return nil }},
		{Name: "buildkit", Ping: func(context.Context) error {
			asked.Add(1)
			if broken.Load() {
				return catalog.Wrap(catalog.Unavailable, errors.New("dial unix"), "BuildKit is not responding")
			}
			return nil
		}},
	}
	w := newEnv(t, func(c *rest.Config) { c.Checks = checks })
	w.do("", "GET", "/healthz", nil).expect(http.StatusOK)
	type ready struct {
		Status string
		Checks map[string]string
	}
	if r := into[ready](w.do("", "GET", "/readyz", nil).expect(http.StatusOK)); r.Status != "ready" || r.Checks["buildkit"] != "ok" {
		t.Errorf("%+v", r)
	}
	const often = 50
	for range often { // as any client may
		w.do("", "GET", "/readyz", nil).expect(http.StatusOK)
	}
	if n := asked.Load(); n >= often {
		t.Errorf("BuildKit was asked %d times", n)
	}
	broken.Store(true)
	var answer reply
	testkit.Eventually(t, "the service is not ready", func() bool {
		answer = w.do("", "GET", "/readyz", nil)
		return answer.status != http.StatusOK
	})
	r := into[ready](answer.expect(http.StatusServiceUnavailable))
	if r.Status != "unready" || r.Checks["buildkit"] != "BuildKit is not responding" || r.Checks["database"] != "ok" {
		t.Errorf("%+v", r)
	}
	w.do("", "GET", "/healthz", nil).expect(http.StatusOK)
}
