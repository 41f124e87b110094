package web

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

// queueData is what the page of the queue shows.
type queueData struct {
	Tabs    []tab
	State   catalog.QueueState
	Pause   catalog.QueuePause
	Entries []catalog.QueueEntry // the next to start first
	Pager   pager
	At      string // path and query of the page
	Mark    string // of its first page, which is another when the queue has changed
}

func (c *call) queuePage() error {
	ctx, store := c.r.Context(), c.server.config.Store
	data := queueData{Tabs: adminTabs("admin.queue")}
	page, err := c.page()
	if err != nil {
		return err
	}
	if data.State, data.Pause, data.Mark, err = c.queue(); err != nil { // before what is listed, which may change
		return err
	}
	entries, err := store.ListQueue(ctx, page.Before, page.Limit)
	if err != nil {
		return err
	}
	data.Entries, data.Pager = cut(c, entries, func(e catalog.QueueEntry) int64 { return e.ID })
	data.At = (&url.URL{Path: "/admin/queue", RawQuery: c.r.URL.RawQuery}).RequestURI()
	return c.show(http.StatusOK, "queue", "admin.queue", data)
}

// queue returns the state of the queue and its pause, and a mark that names them and what waits first.
func (c *call) queue() (state catalog.QueueState, pause catalog.QueuePause, mark string, err error) {
	ctx, store := c.r.Context(), c.server.config.Store
	if state, err = store.QueueState(ctx); err != nil {
		return state, pause, "", err
	}
	if pause, err = store.QueuePause(ctx); err != nil {
		return state, pause, "", err
	}
	entries, err := store.ListQueue(ctx, 0, listed)
	if err != nil {
		return state, pause, "", err
	}
	hash := sha256.New()
	fmt.Fprintln(hash, state.Waiting, state.Running, pause.Since.UnixNano(), pause.By, pause.Reason)
	for _, e := range entries {
		fmt.Fprintln(hash, e.ID, e.Place)
	}
	return state, pause, hex.EncodeToString(hash.Sum(nil)[:8]), nil
}

// queueRecheck is how often the queue is looked at for what no event tells: that it was paused, by this or by another process, or that a build waits again.
const queueRecheck = 2 * time.Second

// queueNews streams one event when the queue is not what a page shows, by its mark. The browser asks again.
func (c *call) queueNews() error {
	shown := cmp.Or(c.r.Header.Get("Last-Event-ID"), c.r.URL.Query().Get("after"))
	ctx, store := c.r.Context(), c.server.config.Store
	stream := requests.OpenEvents(c.w, c.stillAllowed)
	defer stream.Close()
	recheck := time.NewTicker(queueRecheck)
	defer recheck.Stop()
	for {
		notified := store.NewEvents()
		_, _, mark, err := c.queue()
		if err != nil {
			requests.Logger(ctx).Debug("stream of the queue interrupted", "error", err) // the status is sent; ending makes clients reconnect
			return nil
		}
		if mark != shown {
			var b strings.Builder
			b.WriteString("retry: 500\n") // milliseconds
			requests.WriteEvent(&b, "", mark, "queue")
			_ = stream.Send(b.String()) // one that can't be sent is a client that went away, or may not know
			return nil
		}
		select {
		case <-notified:
		case <-recheck.C:
		case <-c.server.ending:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *call) pauseQueue() error {
	pause, err := c.server.config.Store.PauseQueue(c.r.Context(), c.id.User.Name, c.field("reason"))
	if err != nil {
		return err
	}
	c.audit("queue paused", "reason", pause.Reason)
	return c.done("/admin/queue", "paused")
}

func (c *call) resumeQueue() error {
	was, err := c.server.config.Store.ResumeQueue(c.r.Context())
	if err != nil {
		return err
	}
	if was.Paused() {
		c.audit("queue resumed")
		c.server.config.Control.Wake()
	}
	return c.done("/admin/queue", "resumed")
}
