package rest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

// Whatever is sent as a body is a success or a fault of the client's, never ours.
func FuzzBody(f *testing.F) {
	for _, body := range []string{`{"name":"app"}`, `{}`, `[]`, `{"name":1}`, `{"name":"a","name":"b"}`, "{\"name\":\"\xff\"}", `{"scope":"read","expires_at":null}`, `{"expires_at":"2030-01-01T00:00:00Z"}`} {
		f.Add(body)
	}
	w := newEnv(f)
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
	w := newEnv(f)
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
	isText := r.status == http.StatusOK && strings.HasPrefix(r.header.Get("Content-Type"), "text/plain")
	if !isText && !json.Valid(r.body) || r.status >= http.StatusInternalServerError {
		t.Errorf("%q: status %d, %s", input, r.status, r.body)
	}
}

// in is the same env for one run of a fuzz target.
func (e *env) in(t *testing.T) *env {
	run := *e
	run.t = t
	return &run
}

// FuzzPages compares a page of a list with the whole.
func FuzzPages(f *testing.F) {
	w := newEnv(f)
	for i := range 7 {
		w.do("alice", "POST", "/api/images", fmt.Sprintf(`{"name":"app-%d"}`, i))
	}
	var all []api.Image
	if err := json.Unmarshal(w.do("alice", "GET", "/api/images", nil).body, &all); err != nil || len(all) != 7 {
		f.Fatalf("%d images: %v", len(all), err)
	}
	for _, seed := range [][2]string{{"3", "5"}, {"1", ""}, {"0", "1"}, {"501", "-1"}, {"x", "99999999999999999999"}, {"+2", "٣"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, limit, after string) {
		query := url.Values{"limit": {limit}}
		if after != "" {
			query.Set("after", after)
		}
		r := w.in(t).do("alice", "GET", "/api/images?"+query.Encode(), nil)
		checkAnswer(t, r, limit+" "+after)
		n, err := strconv.Atoi(limit)
		before, afterErr := strconv.ParseInt(after, 10, 64)
		if err != nil || n < 1 || n > 500 || after != "" && (afterErr != nil || before < 1) {
			if r.status != http.StatusBadRequest {
				t.Errorf("limit %q, after %q: %d", limit, after, r.status)
			}
			return
		}
		var page []api.Image
		if err := json.Unmarshal(r.body, &page); err != nil || r.status != http.StatusOK {
			t.Fatalf("%d %s: %v", r.status, r.body, err)
		}
		from := 0 // images have the IDs from 1 on, the newest comes first
		if after != "" {
			from = int(max(0, int64(len(all))+1-min(before, int64(len(all))+1)))
		}
		want := all[from:min(len(all), from+n)]
		if len(page) != len(want) || len(page) > 0 && (page[0].Name != want[0].Name || page[len(page)-1].Name != want[len(want)-1].Name) {
			t.Errorf("limit %q, after %q: %d images, want %d", limit, after, len(page), len(want))
		}
		if linked := r.header.Get("Link") != ""; linked != (from+n < len(all)) {
			t.Errorf("limit %q, after %q: a next page is linked %v", limit, after, linked)
		}
	})
}
