package rest_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

const builds = "/api/images/app/versions/1.0/builds"

// isTime is whether a field has a time, whichever.
type isTime bool

func (is *isTime) UnmarshalJSON(text []byte) error {
	*is = string(text) != "null"
	return new(time.Time).UnmarshalJSON(text)
}

func TestBuildsAsTheContractSays(t *testing.T) {
	w := newEnv(t)
	w.version("app", "1.0", catalog.OutcomeUserError, "first")
	w.version("app", "1.0", "", "one", "two")
	type build struct {
		Logs, State string
		Start       isTime `json:"start_date"`
		End         isTime `json:"end_date"`
	}
	testkit.Same(t, "builds", into[[]build](w.do("alice", "GET", builds, nil).expect(http.StatusOK)), []build{
		{Logs: "one\ntwo", State: "BUILDING", Start: true}, {Logs: "first", State: "BUILD_FAILED", Start: true, End: true},
	})
	w.do("alice", "GET", "/api/images/app/versions/9/builds", nil).fault(http.StatusNotFound, "detail")
}

// However much was printed, an answer stays within bounds, and says what it leaves out.
func TestLogsOfBuildsAreBounded(t *testing.T) {
	w := newEnv(t)
	many := slices.Repeat([]string{strings.Repeat("x", 1000)}, 12_000)
	w.version("app", "1.0", catalog.OutcomeUserError, "the last")
	w.version("app", "1.0", catalog.OutcomeUserError, many...)
	w.version("app", "1.0", catalog.OutcomeUserError, "short")
	got := into[[]api.Build](w.do("alice", "GET", builds, nil).expect(http.StatusOK))
	if len(got) != 3 || got[0].Logs != "short" {
		t.Fatalf("got %d builds", len(got))
	}
	const note = "\n… (the rest is left out; get the full log at …/builds/%d/log)"
	if log := got[1].Logs; len(log) > 9<<20 || len(log) < 7<<20 || !strings.HasSuffix(log, fmt.Sprintf(note, 2)) {
		t.Errorf("the long log has %d bytes and ends in %q", len(log), log[len(log)-80:])
	}
	if got[2].Logs != fmt.Sprintf(note, 1) {
		t.Errorf("there is no room for %q", got[2].Logs)
	}
}

type poll struct {
	Logs  string
	Count int `json:"lines_count"`
	State string
}

// A client asks every second from the offset it was told, until the state is
// neither PENDING nor BUILDING.
func TestPolling(t *testing.T) {
	w := newEnv(t)
	build := w.version("app", "1.0", "", "one", "two")
	ask := func(query string) poll {
		t.Helper()
		return into[poll](w.do("alice", "GET", builds+"?"+query, nil).expect(http.StatusOK))
	}
	for _, row := range []struct {
		query string
		want  poll
	}{
		{"image_offset=0", poll{"one\ntwo", 2, "BUILDING"}},
		{"image_offset=1", poll{"two", 2, "BUILDING"}},
		{"image_offset=2", poll{"", 2, "BUILDING"}},
		{"image_offset=0&with_timestamp=True", poll{"[00:00.000] one\n[01:01.000] two", 2, "BUILDING"}},
		{"image_offset=1&with_timestamp=False", poll{"two", 2, "BUILDING"}},
	} {
		if got := ask(row.query); got != row.want {
			t.Errorf("%s: %+v, want %+v", row.query, got, row.want)
		}
	}
	w.logs.add(build.ID, catalog.LogLine{Text: "three"})
	w.finish(build, catalog.OutcomeUserError)
	if got, want := ask("image_offset=2"), (poll{"three", 3, "FAILED"}); got != want {
		t.Errorf("at the end %+v, want %+v", got, want)
	}
	for _, query := range []string{"image_offset=-1", "image_offset=x", "image_offset=", "with_timestamp=maybe"} {
		field, _, _ := strings.Cut(query, "=")
		w.do("alice", "GET", builds+"?"+query, nil).fault(http.StatusBadRequest, field)
	}
}

// Who sees that a build ended stops asking, so it must not be seen before the
// last line was handed over.
func TestPollingGetsAllOfALongLog(t *testing.T) {
	w := newEnv(t)
	lines := make([]string, 25_000)
	for n := range lines {
		lines[n] = strconv.Itoa(n)
	}
	w.version("app", "1.0", catalog.OutcomeBuilt, lines...)
	var got []string
	for offset := 0; ; {
		p := into[poll](w.do("alice", "GET", builds+"?image_offset="+strconv.Itoa(offset), nil).expect(http.StatusOK))
		got, offset = append(got, strings.Split(p.Logs, "\n")...), p.Count
		if p.State != "BUILDING" {
			if p.State != "BUILT" {
				t.Errorf("ended as %s", p.State)
			}
			break
		}
	}
	if strings.Join(got, " ") != strings.Join(lines, " ") {
		t.Errorf("got %d lines of %d", len(got), len(lines))
	}
}

func TestLogAsText(t *testing.T) {
	w := newEnv(t)
	w.version("app", "1.0", catalog.OutcomeBuilt, "one", "bad \xff byte")
	r := w.do("alice", "GET", builds+"/1/log", nil).expect(http.StatusOK)
	if string(r.body) != "one\nbad \uFFFD byte\n" || !strings.HasPrefix(r.header.Get("Content-Type"), "text/plain") {
		t.Errorf("%s: %q", r.header.Get("Content-Type"), r.body)
	}
	w.do("alice", "GET", builds+"/2/log", nil).fault(http.StatusNotFound, "detail")
	w.do("alice", "GET", builds+"/x/log", nil).fault(http.StatusBadRequest, "build")
}

func TestLogAsEvents(t *testing.T) {
	w := newEnv(t)
	build := w.version("app", "1.0", "", "one", "two")
	next := w.stream(builds + "/1/log")
	for _, want := range []string{"id: 1", "data: one", "", "id: 2", "data: two", ""} {
		if got := next(); got != want {
			t.Fatalf("event line %q, want %q", got, want)
		}
	}
	w.logs.add(build.ID, catalog.LogLine{Text: "50%\r100%"})
	for _, want := range []string{"id: 3", "data: 50%", "data: 100%", ""} {
		if got := next(); got != want {
			t.Fatalf("event line %q, want %q", got, want)
		}
	}
	w.finish(build, catalog.OutcomeUserError)
	for _, want := range []string{"event: end", `data: {"message":"it did not work","outcome":"user_error","state":"BUILD_FAILED"}`, "", "EOF"} {
		if got := next(); got != want {
			t.Fatalf("event line %q, want %q", got, want)
		}
	}

	again := w.stream(builds+"/1/log", header("Last-Event-ID", "2"))
	if got := again(); got != "id: 3" {
		t.Errorf("resumed with %q", got)
	}
	w.do("alice", "GET", builds+"/1/log", nil, header("Accept", "text/event-stream, "+api.ErrorType), header("Last-Event-ID", "x")).fault(http.StatusBadRequest, "Last-Event-ID")
}

// stream opens an event stream and returns what reads its next line, "EOF" at its end.
func (e *env) stream(path string, options ...option) func() string {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), time.Minute)
	e.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url+path, nil)
	e.must(err)
	req.Header.Set("Authorization", "Bearer "+e.tokens["alice"])
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Accept-Encoding", "gzip")
	for _, change := range options {
		change(req)
	}
	resp, err := http.DefaultClient.Do(req)
	e.must(err)
	e.t.Cleanup(func() { e.must(resp.Body.Close()) })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		e.t.Fatalf("stream answers %d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(resp.Body)
	return func() string {
		if lines.Scan() {
			return lines.Text()
		}
		if err := lines.Err(); err != nil {
			return err.Error()
		}
		return "EOF"
	}
}

func TestDiagnosis(t *testing.T) {
	w := newEnv(t)
	w.version("app", "1.0", catalog.OutcomeBuilt, "a line")
	w.version("app", "1.1", catalog.OutcomeUserError, "a line")
	const path = "/api/images/app/versions/"
	got := into[api.Diagnosis](w.do("alice", "GET", path+"1.0/builds/1/diagnosis", nil).expect(http.StatusOK))
	if got.Miss == nil || got.Miss.Millis < 1000 || got.Miss.Advice == nil {
		t.Fatalf("got %+v", got)
	}
	got.Miss.Millis = 0
	testkit.Same(t, "a diagnosis", got, api.Diagnosis{Dockerfile: "Dockerfile", Miss: &api.CacheMiss{
		Line: 3, Instruction: "COPY . .", Cause: "files", Since: "0.9", Files: []string{"a"}, Changed: 2, Args: []string{}, Advice: &api.Advice{Kind: "move_up", Line: 4, Names: []string{}},
	}})
	testkit.Same(t, "of nothing", into[api.Diagnosis](w.do("alice", "GET", path+"1.1/builds/1/diagnosis", nil).expect(http.StatusOK)), api.Diagnosis{})
	w.do("alice", "GET", path+"1.0/builds/2/diagnosis", nil).expect(http.StatusNotFound)
	w.do("alice", "GET", path+"1.0/builds/x/diagnosis", nil).expect(http.StatusBadRequest)
}
