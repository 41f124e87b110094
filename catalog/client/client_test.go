package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

// serve makes a client of a server that answers by handle.
func serve(t *testing.T, handle http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	c, err := New(Config{Server: s.URL, Token: "secret", Namespace: "team", UserAgent: "test/1"})
	if err != nil {
		t.Fatal(err)
	}
	c.pace = pace{request: 5 * time.Second, firstRetry: time.Millisecond, poll: time.Millisecond, silence: 5 * time.Second}
	return c
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that went away sees to itself
}

func TestParseServer(t *testing.T) {
	for server, want := range map[string]string{
		"http://127.0.0.1:8080": "http://127.0.0.1:8080/api", "https://h/": "https://h/api", "https://h/fandogh": "https://h/fandogh/api",
		"https://h/fa/api/": "https://h/fa/api", "http://h:1/api": "http://h:1/api",
	} {
		got, err := ParseServer(server)
		if err != nil || got.String() != want {
			t.Errorf("%s: got %v, %v, want %s", server, got, err, want)
		}
	}
	for _, server := range []string{"", "host", "host:8080", "ftp://h", "http://", "http://u:p@h", "https://h?x=1", "https://h#x", "http://h:port", "://"} {
		if got, err := ParseServer(server); err == nil {
			t.Errorf("%q was taken for %s", server, got)
		}
	}
}

func TestRequestsSayWhoAsks(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got := fmt.Sprint(r.Method, " ", r.URL.EscapedPath(), " ", r.Header.Get("Authorization"), " ", r.Header.Get("ACTIVE-NAMESPACE"), " ", r.UserAgent())
		if want := "GET /api/images/a%2Fb/versions/1%200 JWT secret team test/1"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		answer(w, 200, api.VersionDetail{})
	})
	if _, err := c.Version(t.Context(), "a/b", "1 0"); err != nil {
		t.Error(err)
	}
}

// A name that changes the path could delete an image in place of a version.
func TestNamesThatChangeThePath(t *testing.T) {
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s was sent", r.Method, r.URL) })
	for _, name := range []string{"", ".", ".."} {
		if err := c.DeleteVersion(t.Context(), "app", name); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := c.CreateVersion(t.Context(), name, "1", nil); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestErrorsTellWhatTheServerSaid(t *testing.T) {
	tests := []struct {
		status int
		body   string
		want   string
	}{
		{400, `{"message":"name is bad","errors":[{"name":["name is bad"]}]}`, "name is bad"},
		{400, `{"message":"no","errors":[{"b":["two"]},{"a":["one"]}]}`, "no\n  a: one\n  b: two"},
		{404, `{"message":"there is no image"}`, "there is no image"},
		{500, `{"message":"internal error"}`, "internal error (request r-1)"},
		{404, `<html>`, "the server responded 404 Not Found to GET /api/accounts; is it a Fandogh server?"},
		{200, `<html>`, "the response of HOST to GET /api/accounts is not JSON; is it a Fandogh server?"},
	}
	for _, test := range tests {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Request-Id", "r-1")
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, test.body)
		})
		_, err := c.Account(t.Context())
		if want := strings.ReplaceAll(test.want, "HOST", c.base.Host); err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
		if got := StatusOf(err); got != test.status {
			t.Errorf("status %d, want %d", got, test.status)
		}
	}
}

// drop ends the connection without an answer.
func drop(t *testing.T, w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	_ = conn.Close()
}

func TestRetries(t *testing.T) {
	tests := []struct {
		name   string
		faults func(try int32, w http.ResponseWriter) bool // true: answered
		method string
		tries  int32
		ok     bool
	}{
		{"lost twice, then read", func(try int32, w http.ResponseWriter) bool { return try <= 2 && lose(t, w) }, "GET", 3, true},
		{"lost for good", func(_ int32, w http.ResponseWriter) bool { return lose(t, w) }, "GET", maxTries, false},
		{"a change is not sent twice", func(_ int32, w http.ResponseWriter) bool { return lose(t, w) }, "POST", 1, false},
		{"nor a deletion", func(_ int32, w http.ResponseWriter) bool { return lose(t, w) }, "DELETE", 1, false},
		{"a setting may be", func(try int32, w http.ResponseWriter) bool { return try <= 1 && lose(t, w) }, "PUT", 2, true},
		{"busy, then read", func(try int32, w http.ResponseWriter) bool { return try <= 1 && refuse(w, 503) }, "GET", 2, true},
		{"refused", func(_ int32, w http.ResponseWriter) bool { return refuse(w, 404) }, "GET", 1, false},
		{"broken", func(_ int32, w http.ResponseWriter) bool { return refuse(w, 500) }, "GET", 1, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var tries atomic.Int32
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if !test.faults(tries.Add(1), w) {
					answer(w, 200, api.Account{Username: "ali"})
				}
			})
			_, err := ask[api.Account](t.Context(), c, test.method, nil, "accounts")
			if (err == nil) != test.ok || tries.Load() != test.tries {
				t.Errorf("%d tries, want %d; error %v", tries.Load(), test.tries, err)
			}
			var lost *NetworkError
			if err != nil && StatusOf(err) == 0 && !errors.As(err, &lost) {
				t.Errorf("%v is neither an answer nor the lack of one", err)
			}
		})
	}
}

func lose(t *testing.T, w http.ResponseWriter) bool { drop(t, w); return true }
func refuse(w http.ResponseWriter, status int) bool {
	answer(w, status, api.Error{Message: "no"})
	return true
}

func TestRetryAfterIsHonoured(t *testing.T) {
	var first, second time.Time
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if first.IsZero() {
			first = time.Now()
			w.Header().Set("Retry-After", "1")
			refuse(w, 429)
			return
		}
		second = time.Now()
		answer(w, 200, api.Account{})
	})
	if _, err := c.Account(t.Context()); err != nil {
		t.Fatal(err)
	}
	if waited := second.Sub(first); waited < time.Second {
		t.Errorf("came back after %s", waited)
	}
}

// A wait that is longer than a user would sit through is the caller's to make.
func TestLongRetryAfterIsTold(t *testing.T) {
	tries := 0
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		tries++
		w.Header().Set("Retry-After", "3600")
		refuse(w, 429)
	})
	if _, err := c.Account(t.Context()); StatusOf(err) != 429 {
		t.Errorf("got %v after %d tries", err, tries)
	}
}

func TestUnreachableAndSlowServers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := New(Config{Server: "http://" + address})
	if err != nil {
		t.Fatal(err)
	}
	c.pace.firstRetry = time.Millisecond
	var lost *NetworkError
	if _, err := c.Account(t.Context()); !errors.As(err, &lost) || !strings.Contains(err.Error(), "no response from "+address) {
		t.Errorf("got %v", err)
	}

	release := make(chan struct{})
	slow := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	slow.pace.request = 10 * time.Millisecond
	if _, err := slow.Account(t.Context()); !errors.As(err, &lost) || !strings.Contains(err.Error(), "it took longer than 10ms") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := slow.Account(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A redirect must neither turn a change into something else nor take the token along.
func TestRedirects(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.Header.Get("Authorization") != "" && !strings.HasPrefix(r.Host, "127.0.0.1") {
			t.Errorf("%s arrived elsewhere", r.Method)
		}
		answer(w, 200, api.Account{Username: "there"})
	}))
	defer elsewhere.Close()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
	})
	if a, err := c.Account(t.Context()); err != nil || a.Username != "there" {
		t.Errorf("got %v, %v", a, err)
	}
	if err := c.DeleteImage(t.Context(), "app"); err == nil || !strings.Contains(err.Error(), "use that address as the server") {
		t.Errorf("got %v", err)
	}
}

// A token that was sent over TLS goes nowhere without.
func TestRedirectsKeepTLS(t *testing.T) {
	open := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s arrived over plain HTTP, with %q", r.URL, r.Header.Get("Authorization"))
	}))
	defer open.Close()
	closed := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, open.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer closed.Close()
	c, err := New(Config{Server: closed.URL, Token: "t", Transport: closed.Client().Transport})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Account(t.Context()); err == nil || !strings.Contains(err.Error(), "use that address as the server") {
		t.Errorf("got %v", err)
	}
}

func TestPages(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.RawQuery {
		case "":
			w.Header().Set("Link", `<?after=2>; rel="next"`)
			answer(w, 200, []api.Image{{Name: "a"}, {Name: "b"}})
		case "after=2":
			w.Header().Set("Link", `<https://evil.example/api/images?after=3>; rel="next"`)
			answer(w, 200, []api.Image{{Name: "c"}})
		default:
			t.Errorf("asked for %s", r.URL)
		}
	})
	for limit, want := range map[int]string{0: "abc", 1: "a", 2: "ab", 3: "abc"} {
		images, err := Collect(c.Images(t.Context()), limit)
		var names strings.Builder
		for _, image := range images {
			names.WriteString(image.Name)
		}
		if err != nil || names.String() != want {
			t.Errorf("limit %d: got %s, %v", limit, names.String(), err)
		}
	}
}
