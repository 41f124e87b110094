package web

import (
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

const (
	// keptEvents is how many of a build's last lines are kept as they are sent, for others who follow it.
	keptEvents = 1000
	// allowedFor is how long who follows a log is not asked again whether they may.
	allowedFor = time.Second
)

// eventCache keeps the last lines of each build that is followed as the events they are sent as: of a thousand who follow one build
// the first has them made. It is safe for concurrent use.
type eventCache struct {
	mu    sync.Mutex
	tails map[int64]*eventTail
}

// eventTail is what is kept of one build.
type eventTail struct {
	followers int

	mu     sync.Mutex
	first  int // number of the first line that is kept
	events []string
}

func newEventCache() *eventCache { return &eventCache{tails: map[int64]*eventTail{}} }

// join returns a build's lines; call leave when done with them.
func (e *eventCache) join(id int64) (tail *eventTail, leave func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	tail = e.tails[id]
	if tail == nil {
		tail = &eventTail{}
		e.tails[id] = tail
	}
	tail.followers++
	return tail, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if tail.followers--; tail.followers == 0 {
			delete(e.tails, id)
		}
	}
}

// event returns a line as it is sent.
func (t *eventTail) event(number int, line catalog.LogLine) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at := number - t.first; at >= 0 && at < len(t.events) {
		return t.events[at], nil
	}
	data, err := json.Marshal(newShownLine(number, line))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	requests.WriteEvent(&b, "", strconv.Itoa(number), string(data))
	switch {
	case len(t.events) == 0:
		t.first = number
	case number != t.first+len(t.events): // one who is far behind
		return b.String(), nil
	case len(t.events) == keptEvents:
		t.events[0] = ""
		t.first, t.events = t.first+1, t.events[1:]
	}
	t.events = append(t.events, b.String())
	return b.String(), nil
}

// followLog streams the lines of a log behind one as they are printed, each as a shownLine, until the build ended.
func (c *call) followLog() error {
	_, build, err := c.buildWithLog()
	if err != nil {
		return err
	}
	after := c.r.Header.Get("Last-Event-ID")
	if after == "" {
		after = c.r.URL.Query().Get("after")
	}
	skip, err := strconv.Atoi(after)
	if err != nil || skip < 0 {
		return catalog.FieldErrorf("after", "after must be the number of a line")
	}
	tail, leave := c.server.events.join(build.ID)
	defer leave()
	stream := requests.OpenEvents(c.w, c.allowedOften())
	defer stream.Close()
	_, err = c.server.config.Logs.FollowLog(c.r.Context(), build.ID, skip, func(lines []catalog.LogLine) error {
		var b strings.Builder
		for _, line := range lines {
			skip++
			event, err := tail.event(skip, line)
			if err != nil {
				return err
			}
			b.WriteString(event)
		}
		return stream.Send(b.String())
	})
	if err == nil {
		var b strings.Builder
		requests.WriteEvent(&b, "end", "", "{}")
		err = stream.Send(b.String())
	}
	if err != nil { // the status is sent; ending without an end event makes clients reconnect
		requests.Logger(c.r.Context()).Debug("log stream interrupted", "build", build.ID, "error", err)
	}
	return nil
}

// allowedOften is stillAllowed for a stream that sends many times a second, which calls it by one goroutine at a time: the store is asked once a second.
func (c *call) allowedOften() func() error {
	var asked time.Time
	return func() error {
		now := c.server.now()
		if now.Sub(asked) < allowedFor {
			return nil
		}
		err := c.stillAllowed()
		if err == nil {
			asked = now
		}
		return err
	}
}
