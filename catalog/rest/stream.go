package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

const eventStream = "text/event-stream"

func wantsEvents(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), eventStream)
}

// buildLog sends a build's log so far as text, or as a stream of events that
// lasts until the build ended.
func (c *call) buildLog() error {
	timestamps, err := c.boolean("with_timestamp")
	if err != nil {
		return err
	}
	build, err := c.numberedBuild(c.r.Context())
	if err != nil {
		return err
	}
	if wantsEvents(c.r) {
		return c.streamLog(build, timestamps)
	}
	lines, err := c.server.config.Logs.ReadLog(c.r.Context(), build.ID, 0, pollLines)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	c.w.Header().Set("X-Content-Type-Options", "nosniff")
	for skip := 0; len(lines) > 0 && c.r.Context().Err() == nil; {
		// The context ends when the client goes away.
		_, _ = io.WriteString(c.w, joinLines(lines, timestamps)+"\n")
		skip += len(lines)
		if lines, err = c.server.config.Logs.ReadLog(c.r.Context(), build.ID, skip, pollLines); err != nil {
			requestLogger(c.r.Context()).Error("log incomplete", "build", build.ID, "error", err)
			panic(http.ErrAbortHandler) // so that the client sees that it is cut off
		}
	}
	return nil
}

// keepAlive is how often an idle stream shows that it lives.
const keepAlive = 15 * time.Second

// streamLog sends each line as an event whose ID is the line's number; a client
// that comes back with Last-Event-ID goes on behind that line. The last event is
// called end and tells how the build ended.
func (c *call) streamLog(build catalog.Build, timestamps bool) error {
	skip := 0
	if last := c.r.Header.Get("Last-Event-ID"); last != "" {
		var err error
		if skip, err = strconv.Atoi(last); err != nil || skip < 0 {
			return catalog.FieldErrorf("Last-Event-ID", "Last-Event-ID must be the number of a line")
		}
	}
	stream := newEvents(c.w, c.stillAllowed)
	defer stream.close()
	ended, err := c.server.config.Logs.FollowLog(c.r.Context(), build.ID, skip, func(lines []catalog.LogLine) error {
		var b strings.Builder
		for _, line := range lines {
			skip++
			writeEvent(&b, "", strconv.Itoa(skip), lineText(line, timestamps))
		}
		return stream.send(b.String())
	})
	if err != nil {
		// The status is sent; ending without an end event makes clients reconnect.
		requestLogger(c.r.Context()).Debug("log stream interrupted", "build", build.ID, "error", err)
		return nil
	}
	data, err := json.Marshal(map[string]string{"state": string(ended.State), "outcome": string(ended.Outcome), "message": ended.Message})
	if err == nil {
		var b strings.Builder
		writeEvent(&b, "end", "", string(data))
		err = stream.send(b.String())
	}
	if err != nil {
		requestLogger(c.r.Context()).Debug("log stream interrupted", "build", build.ID, "error", err)
	}
	return nil
}

func writeEvent(b *strings.Builder, name, id, data string) {
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

// events is an open event stream. A goroutine of its own, ended by close, sends
// comments while nothing else is sent.
type events struct {
	mu      sync.Mutex
	w       http.ResponseWriter
	ctl     *http.ResponseController
	allowed func() error // nothing is sent any more once it fails
	done    chan struct{}
	idle    sync.WaitGroup
}

func newEvents(w http.ResponseWriter, allowed func() error) *events {
	e := &events{w: w, ctl: http.NewResponseController(w), allowed: allowed, done: make(chan struct{})}
	w.Header().Set("Content-Type", eventStream)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy must not hold events back
	w.WriteHeader(http.StatusOK)
	_ = e.send("") // the client learns at once that the stream is open
	e.idle.Go(e.keepAlive)
	return e
}

func (e *events) keepAlive() {
	ticker := time.NewTicker(keepAlive)
	defer ticker.Stop()
	for {
		select {
		case <-e.done:
			return
		case <-ticker.C:
		}
		if e.send(":\n\n") != nil {
			return // the next event that is sent fails the same way
		}
	}
}

// send writes whole events. Each write has a deadline of its own, whatever the
// server's deadline for a response.
func (e *events) send(text string) error {
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

func (e *events) close() {
	close(e.done)
	e.idle.Wait()
}
