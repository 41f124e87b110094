package registry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// in is the same env for one run of a fuzz target.
func (e *env) in(t *testing.T) *env {
	return &env{t: t, store: e.store, registry: e.registry, host: e.host, dir: e.dir, alice: e.alice}
}

// FuzzUploadAddress holds that an upload goes on at the address that was given out for it, and at no other.
func FuzzUploadAddress(f *testing.F) {
	w := newEnv(f)
	at, err := url.Parse(w.begin("alice/app"))
	w.must(err)
	parts := strings.Split(at.Path, "/")
	upload, state := parts[len(parts)-1], at.Query().Get("_state")
	other, err := url.Parse(w.begin("alice/other"))
	w.must(err)
	f.Add(upload, state)
	f.Add(upload, other.Query().Get("_state"))
	f.Add("..", state)
	f.Add("../../other/_uploads/"+upload, state)
	f.Add(upload, "")
	f.Add(strings.ToUpper(upload), state[:len(state)-4])
	f.Fuzz(func(t *testing.T, uuid, token string) {
		w := w.in(t)
		if uuid == upload && token == state {
			return
		}
		address := "http://" + w.host + "/v2/alice/app/blobs/uploads/" + url.PathEscape(uuid) + "?" + url.Values{"_state": {token}}.Encode()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, address, strings.NewReader("x"))
		if err != nil {
			return
		}
		req.SetBasicAuth("alice", password)
		resp, err := http.DefaultTransport.RoundTrip(req)
		w.must(err)
		w.must(resp.Body.Close())
		if resp.StatusCode < http.StatusMultipleChoices || resp.StatusCode >= http.StatusInternalServerError {
			t.Errorf("%q with %q: %s", uuid, token, resp.Status)
		}
	})
}

// FuzzTagPages compares a page of tags with the whole list.
func FuzzTagPages(f *testing.F) {
	w := newEnv(f)
	image := w.image("alice", "app")
	var all []string
	for i := range 20 {
		tag := strconv.Itoa(i * i)
		_, err := w.store.RecordVersion(f.Context(), catalog.ReadyVersion{ImageID: image.ID, Version: tag, Trigger: catalog.TriggerRegistry, UserID: w.alice.ID, Digest: digestOf([]byte(tag)), At: time.Now()})
		w.must(err)
		all = append(all, tag)
	}
	slices.Sort(all)
	for _, seed := range [][2]string{{"3", "1"}, {"0", ""}, {"-1", "x"}, {"", "4"}, {"99999999999999999999", "121"}, {"1e1", "\x00"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, n, last string) {
		a := w.in(t).request(http.MethodGet, "/v2/alice/app/tags/list?"+url.Values{"n": {n}, "last": {last}}.Encode(), alice)
		most, err := strconv.Atoi(n)
		if err != nil || most < 0 {
			if a.status != http.StatusBadRequest {
				t.Errorf("n %q: %d", n, a.status)
			}
			return
		}
		var page struct{ Tags []string }
		if err := json.Unmarshal(a.body, &page); err != nil || a.status != http.StatusOK {
			t.Fatalf("%d %s: %v", a.status, a.body, err)
		}
		want := slices.DeleteFunc(slices.Clone(all), func(tag string) bool { return tag <= last })
		isWhole := most >= len(want)
		if want = want[:min(most, len(want))]; !slices.Equal(page.Tags, want) {
			t.Errorf("n=%q last=%q: %v, want %v", n, last, page.Tags, want)
		}
		if next := a.header.Get("Link"); (next == "") != (isWhole || most == 0) {
			t.Errorf("n=%q last=%q links to %q", n, last, next)
		}
	})
}

// FuzzBlobRange holds that what is sent of a blob is the part of it that the answer says.
func FuzzBlobRange(f *testing.F) {
	w := newEnv(f)
	content := []byte(strings.Repeat("0123456789abcdef", 100))
	d := w.blob("alice/app", content).Digest
	for _, header := range []string{"bytes=0-9", "bytes=-5", "bytes=1599-", "bytes=1600-", "bytes=5-2", "bytes=0-0,3-4", "bits=1-2", "bytes=-0", "bytes=0-99999999999999999999"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		w := w.in(t)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+w.host+"/v2/alice/app/blobs/"+d.String(), nil)
		w.must(err)
		req.SetBasicAuth("alice", password)
		req.Header.Set("Range", header)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return // no header
		}
		defer resp.Body.Close() //nolint:errcheck // only read
		body, err := io.ReadAll(resp.Body)
		w.must(err)
		mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		var from, to, of int
		switch {
		case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		case resp.StatusCode == http.StatusOK:
			if !bytes.Equal(body, content) {
				t.Errorf("%q: the whole is %q", header, body)
			}
		case resp.StatusCode != http.StatusPartialContent:
			t.Errorf("%q: %s", header, resp.Status)
		case mediaType == "multipart/byteranges":
			if len(body) > 100*len(content) {
				t.Errorf("%q: %d bytes", header, len(body))
			}
		default:
			_, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &of)
			if err != nil || of != len(content) || from > to+1 || to >= of || !bytes.Equal(body, content[from:to+1]) {
				t.Errorf("%q: %s %q, %v", header, resp.Header.Get("Content-Range"), body, err)
			}
		}
	})
}
