package rest

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

// streamedLines is how many lines of a log are read at once to be sent: of 16 KiB each they may be many bytes.
const streamedLines = 512

// buildLog sends a build's log so far as text, or as a stream of events that
// lasts until the build ended.
func (c *call) buildLog() error {
	timestamps, err := c.boolean("with_timestamp")
	if err != nil {
		return err
	}
	build, err := c.numberedBuild(c.r.Context())
	if err == nil {
		err = build.CheckLog()
	}
	if err != nil {
		return err
	}
	if requests.WantsEvents(c.r) {
		return c.streamLog(build, timestamps)
	}
	lines, err := c.server.config.Logs.ReadLog(c.r.Context(), build.ID, 0, streamedLines)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	c.w.Header().Set("X-Content-Type-Options", "nosniff")
	for skip := 0; len(lines) > 0 && c.r.Context().Err() == nil; {
		// The context ends when the client goes away.
		_, _ = io.WriteString(c.w, joinLines(lines, timestamps)+"\n")
		skip += len(lines)
		if lines, err = c.server.config.Logs.ReadLog(c.r.Context(), build.ID, skip, streamedLines); err != nil {
			requests.Logger(c.r.Context()).Error("log incomplete", "build", build.ID, "error", err)
			panic(http.ErrAbortHandler) // so that the client sees that it is cut off
		}
	}
	return nil
}

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
	stream := requests.OpenEvents(c.w, c.stillAllowed)
	defer stream.Close()
	ended, err := c.server.config.Logs.FollowLog(c.r.Context(), build.ID, skip, func(lines []catalog.LogLine) error {
		var b strings.Builder
		for _, line := range lines {
			skip++
			requests.WriteEvent(&b, "", strconv.Itoa(skip), lineText(line, timestamps))
		}
		return stream.Send(b.String())
	})
	if err != nil {
		// The status is sent; ending without an end event makes clients reconnect.
		requests.Logger(c.r.Context()).Debug("log stream interrupted", "build", build.ID, "error", err)
		return nil
	}
	data, err := json.Marshal(map[string]string{"state": string(ended.State), "outcome": string(ended.Outcome), "message": ended.Message})
	if err == nil {
		var b strings.Builder
		requests.WriteEvent(&b, "end", "", string(data))
		err = stream.Send(b.String())
	}
	if err != nil {
		requests.Logger(c.r.Context()).Debug("log stream interrupted", "build", build.ID, "error", err)
	}
	return nil
}
