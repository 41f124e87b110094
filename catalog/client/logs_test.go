package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// logServer answers for version 1 of app, whose newest build is the 2nd.
func logServer(t *testing.T, stream, poll http.HandlerFunc) *Client {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/images/app/versions/1", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, api.VersionDetail{Builds: []api.BuildDetail{{Number: 2, State: "BUILD_FAILED"}, {Number: 1}}})
	})
	if stream != nil {
		mux.HandleFunc("GET /api/images/app/versions/1/builds/2/log", stream)
	}
	if poll != nil {
		mux.HandleFunc("GET /api/images/app/versions/1/builds", poll)
	}
	return serve(t, mux.ServeHTTP)
}

func events(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, text)
}

const endEvent = "event: end\ndata: {\"state\":\"BUILD_FAILED\",\"outcome\":\"user_error\",\"message\":\"no\"}\n\n"

func TestFollowStream(t *testing.T) {
	c := logServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("with_timestamp") != "true" || r.Header.Get("Accept") != "text/event-stream" {
			t.Errorf("asked %s", r.URL)
		}
		events(w, ":\n\nid: 1\ndata: one\n\n:\n\nid: 2\ndata:\n\nid: 3\r\ndata: a: b\r\n\r\n"+endEvent)
	}, nil)
	var got testkit.Buffer
	end, err := c.Follow(t.Context(), "app", "1", true, printTo(&got))
	if err != nil || got.String() != "one||a: b|" {
		t.Errorf("got %s, %v", got.String(), err)
	}
	if want := (api.BuildEnd{State: "BUILD_FAILED", Outcome: "user_error", Message: "no"}); end != want {
		t.Errorf("got %v", end)
	}
}

// Every line is shown once, however often the stream is cut, in whatever way.
func TestFollowSurvivesCuts(t *testing.T) {
	const lines = 40
	var seen atomic.Int32
	c := logServer(t, func(w http.ResponseWriter, r *http.Request) {
		tries := seen.Add(1)
		last := 0
		if id := r.Header.Get("Last-Event-ID"); id != "" {
			if _, err := fmt.Sscan(id, &last); err != nil {
				t.Error(err)
			}
		}
		switch {
		case tries%4 == 0:
			refuse(w, 503)
			return
		case tries%7 == 0:
			drop(t, w)
			return
		}
		var b strings.Builder
		for n := last + 1; n <= min(last+5, lines); n++ {
			fmt.Fprintf(&b, "id: %d\ndata: %d\n\n", n, n)
		}
		if last+5 >= lines {
			b.WriteString(endEvent)
		} else {
			b.WriteString("id: 999\ndata: half an eve")
		}
		events(w, b.String())
	}, nil)
	var got, want testkit.Buffer
	for n := 1; n <= lines; n++ {
		printTo(&want)(fmt.Sprint(n))
	}
	end, err := c.Follow(t.Context(), "app", "1", false, printTo(&got))
	if err != nil || end.State != "BUILD_FAILED" || got.String() != want.String() {
		t.Errorf("got %s, %v, %v", got.String(), end, err)
	}
}

func TestFollowGivesUp(t *testing.T) {
	var tries atomic.Int32
	c := logServer(t, func(w http.ResponseWriter, _ *http.Request) { tries.Add(1); drop(t, w) }, nil)
	var lost *NetworkError
	_, err := c.Follow(t.Context(), "app", "1", false, func(string) {})
	// The transport itself tries again what it sent over a used connection.
	if n := tries.Load(); !errors.As(err, &lost) || n < maxStreamTries || n > maxStreamTries+1 {
		t.Errorf("got %v after %d tries", err, n)
	}
	refused := logServer(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, 401) }, nil)
	if _, err := refused.Follow(t.Context(), "app", "1", false, func(string) {}); StatusOf(err) != 401 {
		t.Errorf("got %v", err)
	}
}

func TestFollowNoticesSilence(t *testing.T) {
	var tries atomic.Int32
	c := logServer(t, func(w http.ResponseWriter, r *http.Request) {
		if tries.Add(1) > 1 {
			events(w, endEvent)
			return
		}
		events(w, ":\n\n")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-r.Context().Done()
	}, nil)
	c.pace.silence = 20 * time.Millisecond
	if end, err := c.Follow(t.Context(), "app", "1", false, func(string) {}); err != nil || end.State != "BUILD_FAILED" || tries.Load() != 2 {
		t.Errorf("got %v, %v after %d tries", end, err, tries.Load())
	}
}

// printTo is what hands lines to a buffer.
func printTo(b *testkit.Buffer) func(line string) {
	return func(line string) { _, _ = fmt.Fprint(b, line, "|") }
}

// pollAnswers serves a log that grows with each look.
func pollAnswers(t *testing.T, parts ...api.BuildLog) http.HandlerFunc {
	look, offset := 0, 0
	return func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("image_offset"); got != fmt.Sprint(offset) {
			t.Errorf("look %d: image_offset=%s, want %d", look, got, offset)
		}
		part := parts[min(look, len(parts)-1)]
		offset = part.LinesCount
		look++
		answer(w, 200, part)
	}
}

var pollParts = []api.BuildLog{
	{State: "PENDING"}, {Logs: "one\n", LinesCount: 2, State: "BUILDING"}, {LinesCount: 2, State: "BUILDING"},
	{Logs: "", LinesCount: 3, State: "BUILDING"}, {Logs: "four", LinesCount: 4, State: "BUILT"},
}

func TestFollowPollsWithoutStream(t *testing.T) {
	for name, stream := range map[string]http.HandlerFunc{
		"not found":    nil,
		"not streamed": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "one\n") },
		"not allowed":  func(w http.ResponseWriter, _ *http.Request) { refuse(w, 406) },
	} {
		t.Run(name, func(t *testing.T) {
			c := logServer(t, stream, pollAnswers(t, pollParts...))
			var got testkit.Buffer
			end, err := c.Follow(t.Context(), "app", "1", false, printTo(&got))
			if err != nil || end.State != "BUILT" || got.String() != "one|||four|" {
				t.Errorf("got %s, %v, %v", got.String(), end, err)
			}
		})
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := logServer(t, func(w http.ResponseWriter, r *http.Request) {
		events(w, "id: 1\ndata: one\n\n")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-r.Context().Done()
	}, nil)
	_, err := c.Follow(ctx, "app", "1", false, func(string) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestLogSoFar(t *testing.T) {
	tests := []struct {
		parts []api.BuildLog
		want  string
		state string
	}{
		{[]api.BuildLog{{State: "PENDING"}}, "", "PENDING"},
		{[]api.BuildLog{{Logs: "a\nb", LinesCount: 2, State: "BUILDING"}, {LinesCount: 2, State: "BUILDING"}}, "a|b|", "BUILDING"},
		{[]api.BuildLog{{Logs: "a", LinesCount: 1, State: "BUILDING"}, {Logs: "b", LinesCount: 2, State: "FAILED"}}, "a|b|", "BUILD_FAILED"},
		{[]api.BuildLog{{Logs: "a", LinesCount: 1, State: "BUILT"}}, "a|", "BUILT"},
	}
	for _, test := range tests {
		c := logServer(t, nil, pollAnswers(t, test.parts...))
		var got testkit.Buffer
		state, err := c.Log(t.Context(), "app", "1", false, printTo(&got))
		if err != nil || state != test.state || got.String() != test.want {
			t.Errorf("got %s, %s, %v", got.String(), state, err)
		}
	}
}
