package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/connlimit"
)

// serveLimited serves a handler as the daemon does, and returns its address.
func serveLimited(t *testing.T, limits *connlimit.Limits, idle time.Duration, handler http.Handler) string {
	t.Helper()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	d := &daemon{log: hclog.NewNullLogger()}
	done := make(chan error, 1)
	go func() {
		done <- d.serveOn(ctx, &limitedListener{Listener: plain, limits: limits, idle: idle, log: d.log}, paced(idle, handler))
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return plain.Addr().String()
}

func dialAndSay(t *testing.T, address, text string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

const halfSent = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf"

// A client that leaves many requests half sent keeps no other out, and loses the connections one day.
func TestHalfSentRequests(t *testing.T) {
	limits := &connlimit.Limits{Max: 16}
	var read = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprint(w, len(body), err)
	})
	t.Run("many", func(t *testing.T) {
		address := serveLimited(t, limits, time.Hour, read)
		for range 100 {
			dialAndSay(t, address, halfSent)
		}
		response, err := http.Post("http://"+address, "text/plain", strings.NewReader("whole"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		if text, err := io.ReadAll(response.Body); err != nil || string(text) != "5 <nil>" {
			t.Errorf("%q, %v", text, err)
		}
	})
	t.Run("for long", func(t *testing.T) {
		address := serveLimited(t, &connlimit.Limits{}, 50*time.Millisecond, read)
		if _, err := io.ReadAll(dialAndSay(t, address, halfSent)); err != nil {
			t.Error(err)
		}
	})
	t.Run("that the client does not read", func(t *testing.T) {
		address := serveLimited(t, &connlimit.Limits{}, 50*time.Millisecond, http.NotFoundHandler())
		if answer, err := io.ReadAll(dialAndSay(t, address, halfSent)); err != nil || !strings.Contains(string(answer), "404") {
			t.Errorf("%q, %v", answer, err)
		}
	})
}

// The header must be small.
func TestLargeHeader(t *testing.T) {
	address := serveLimited(t, &connlimit.Limits{}, time.Hour, http.NotFoundHandler())
	conn := dialAndSay(t, address, "GET / HTTP/1.1\r\nHost: h\r\n")
	go func() { // it may end before all is sent
		for range 300 {
			_, _ = io.WriteString(conn, "X-Long: "+strings.Repeat("x", 1<<10)+"\r\n")
		}
	}()
	answer := make([]byte, 12)
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "HTTP/1.1 431" {
		t.Errorf("%q, %v", answer, err)
	}
}

// Who takes nothing of an answer loses the connection; who takes it slowly gets it.
func TestSlowReaders(t *testing.T) {
	file := filepath.Join(t.TempDir(), "layer")
	if err := os.WriteFile(file, bytes.Repeat([]byte("layer "), 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"file": func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) },
		"stream": func(w http.ResponseWriter, _ *http.Request) {
			for line := bytes.Repeat([]byte("line "), 10<<10); ; {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan struct{})
			address := serveLimited(t, &connlimit.Limits{}, 100*time.Millisecond, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(ended)
				answer(w, r)
			}))
			dialAndSay(t, address, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			<-ended
		})
	}
	t.Run("slow", func(t *testing.T) {
		address := serveLimited(t, &connlimit.Limits{}, time.Minute, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) }))
		response, err := http.Get("http://" + address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		if n, err := io.Copy(io.Discard, response.Body); err != nil || n != 6*8<<20 {
			t.Errorf("got %d bytes, %v", n, err)
		}
	})
}

func TestBodyMustComeAtSomePace(t *testing.T) {
	began := time.Now().Add(-10 * time.Minute)
	for _, c := range []struct {
		read int64
		ends bool
	}{
		{0, true}, {100 << 10, true}, {10 << 20, false},
	} {
		control := &recordingConn{}
		body := &pacedBody{control: http.NewResponseController(control), idle: time.Minute, began: began, read: c.read}
		body.limit()
		if ended := control.deadline.Before(time.Now()); ended != c.ends {
			t.Errorf("%d bytes in 10 minutes: ended %v, want %v", c.read, ended, c.ends)
		}
	}
}

// recordingConn takes a deadline.
type recordingConn struct {
	http.ResponseWriter
	deadline time.Time
}

func (c *recordingConn) SetReadDeadline(t time.Time) error { c.deadline = t; return nil }

// A request of a user who is logged in goes on while a flood comes; between requests the
// connection has no such right.
func TestLoggedInRequestsStay(t *testing.T) {
	began, end := make(chan struct{}), make(chan struct{})
	limits := &connlimit.Limits{Max: 4}
	address := serveLimited(t, limits, time.Hour, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := owned(r.Context(), catalog.Identity{}, nil); err != nil {
			t.Error(err)
		}
		close(began)
		<-end
	}))
	conn := dialAndSay(t, address, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-began
	for range 20 {
		dialAndSay(t, address, halfSent)
	}
	close(end)
	answer := make([]byte, 15)
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "HTTP/1.1 200 OK" {
		t.Fatalf("%q, %v", answer, err)
	}
	for { // until the lot falls on it
		dialAndSay(t, address, halfSent)
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err := conn.Read(answer); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if t.Context().Err() != nil {
			t.Fatal("it was never dropped")
		}
	}
}
