package requests

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// EventStream is the type of a stream of server-sent events.
const EventStream = "text/event-stream"

// WantsEvents reports whether a client asks for a stream of events.
func WantsEvents(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), EventStream)
}

// keepAlive is how often an idle stream shows that it lives.
const keepAlive = 15 * time.Second

// WriteEvent writes one event to b; a name and an ID are left out where they are empty.
func WriteEvent(b *strings.Builder, name, id, data string) {
	if name != "" {
		fmt.Fprintf(b, "event: %s\n", name)
	}
	if id != "" {
		fmt.Fprintf(b, "id: %s\n", id)
	}
	// A carriage return ends a line of the stream, too.
	for line := range strings.SplitSeq(strings.ReplaceAll(data, "\r", "\n"), "\n") {
		fmt.Fprintf(b, "data: %s\n", line)
	}
	b.WriteByte('\n')
}

// Events is an open event stream. A goroutine of its own, ended by Close, sends
// comments while nothing else is sent.
type Events struct {
	mu      sync.Mutex
	w       http.ResponseWriter
	ctl     *http.ResponseController
	allowed func() error // nothing is sent any more once it fails
	done    chan struct{}
	idle    sync.WaitGroup
}

// OpenEvents answers with a stream, which the caller closes.
func OpenEvents(w http.ResponseWriter, allowed func() error) *Events {
	e := &Events{w: w, ctl: http.NewResponseController(w), allowed: allowed, done: make(chan struct{})}
	w.Header().Set("Content-Type", EventStream)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy must not hold events back
	w.WriteHeader(http.StatusOK)
	_ = e.Send("") // the client learns at once that the stream is open
	e.idle.Go(e.keepAlive)
	return e
}

func (e *Events) keepAlive() {
	ticker := time.NewTicker(keepAlive)
	defer ticker.Stop()
	for {
		select {
		case <-e.done:
			return
		case <-ticker.C:
		}
		if e.Send(":\n\n") != nil {
			return // the next event that is sent fails the same way
		}
	}
}

// Send writes whole events, of WriteEvent. Each write has a deadline of its own, whatever the
// server's deadline for a response.
func (e *Events) Send(text string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.allowed(); err != nil {
		return err
	}
	err := e.ctl.SetWriteDeadline(time.Now().Add(2 * keepAlive))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := io.WriteString(e.w, text); err != nil {
		return err
	}
	return e.ctl.Flush()
}

// Close ends the stream; it does not close the connection.
func (e *Events) Close() {
	close(e.done)
	e.idle.Wait()
}
