package requests_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/internal/requests"
)

// TestLogOfAFlood has one client send what is refused, again and again.
func TestLogOfAFlood(t *testing.T) {
	var written bytes.Buffer
	log := hclog.New(&hclog.LoggerOptions{Output: &written, Level: hclog.Info})
	handler := requests.Observed(log, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/missing") {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	send := func(method, path, from string) {
		r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
		r.RemoteAddr = from
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	lines := func() int { return strings.Count(written.String(), "\n") }
	for range 1000 {
		send(http.MethodGet, "/missing/"+strings.Repeat("x", 10_000), "192.0.2.1:1")
	}
	if n := lines(); n < 100 || n > 500 || written.Len() > n*1000 {
		t.Errorf("%d lines of %d bytes", n, written.Len())
	}
	before := lines()
	send(http.MethodGet, "/missing", "192.0.2.2:1")
	send(http.MethodDelete, "/api/images/app", "192.0.2.1:1")
	if n := lines() - before; n != 2 {
		t.Errorf("%d lines of what another sent and of what succeeded, want 2", n)
	}
}

func TestLines(t *testing.T) {
	l, now := requests.NewLines(), time.Now()
	written := 0
	for range 1000 {
		if _, ok := l.Allow("192.0.2.1:1", now); ok {
			written++
		}
	}
	if written != 200 {
		t.Errorf("%d lines were written", written)
	}
	if left, ok := l.Allow("192.0.2.1:2", now.Add(time.Second)); !ok || left != 800 {
		t.Errorf("after a second: %v, %d are said to be left out", ok, left)
	}
	if left, ok := l.Allow("[2001:db8::1]:2", now); !ok || left != 0 {
		t.Errorf("of another: %v, %d", ok, left)
	}
}
