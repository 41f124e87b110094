package rest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Whatever is sent as a body is a success or a fault of the client's, never ours.
func FuzzBody(f *testing.F) {
	for _, body := range []string{`{"name":"app"}`, `{}`, `[]`, `{"name":1}`, `{"name":"a","name":"b"}`, "{\"name\":\"\xff\"}", `{"scope":"read","expires_at":null}`, `{"expires_at":"2030-01-01T00:00:00Z"}`} {
		f.Add(body)
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, body string) {
		for _, path := range []string{"/api/images", "/api/tokens", "/api/keys", "/api/namespaces"} {
			checkAnswer(t, w.in(t).do("alice", "POST", path, body), body)
		}
	})
}

// Whatever stands in the query of a poll is answered, too.
func FuzzLogOffset(f *testing.F) {
	for _, offset := range []string{"0", "1", "-1", "99999999999999999999", "", "1e3", "0x1", "\x00", "%", "٣"} {
		f.Add(offset, "True")
	}
	w := newWorld(f)
	w.version("app", "1.0", "", "one", "two")
	f.Fuzz(func(t *testing.T, offset, timestamp string) {
		query := url.Values{"image_offset": {offset}, "with_timestamp": {timestamp}}
		r := w.in(t).do("alice", "GET", builds+"?"+query.Encode(), nil)
		checkAnswer(t, r, offset)
		if r.status != http.StatusOK {
			return
		}
		var p poll
		if err := json.Unmarshal(r.body, &p); err != nil || p.Count < 2 && p.Logs == "" || strings.Count(p.Logs, "\n") > 1 {
			t.Errorf("offset %q: %v %s", offset, err, r.body)
		}
	})
}

func checkAnswer(t *testing.T, r reply, input string) {
	t.Helper()
	if !json.Valid(r.body) || r.status >= http.StatusInternalServerError {
		t.Errorf("%q: status %d, %s", input, r.status, r.body)
	}
}

// in is the same world for one run of a fuzz target.
func (w *world) in(t *testing.T) *world {
	run := *w
	run.t = t
	return &run
}
