package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"
)

// elsewhere: another registry, at $ELSEWHERE, which anyone may push to and pull from. It answers 429 while there is
// a file $WORK/elsewhere-limits, and writes what it is asked to $WORK/elsewhere-asked.
func cmdElsewhere(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: elsewhere")
	}
	store := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	limits := ts.MkAbs("elsewhere-limits")
	asked, err := os.OpenFile(ts.MkAbs("elsewhere-asked"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(asked, r.Method+" "+r.URL.Path+"\n")
		if _, err := os.Stat(limits); err == nil {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		store.ServeHTTP(w, r)
	}))
	ts.Defer(func() {
		server.Close()
		_ = asked.Close()
	})
	ts.Setenv("ELSEWHERE", strings.TrimPrefix(server.URL, "http://"))
}
