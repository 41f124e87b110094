package web

import (
	"strconv"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

// news streams one event, when something happened in the user's namespaces behind an event: the page that
// asks can't show it by itself, but that there is more to see.
func (c *call) news() error {
	after, err := strconv.ParseInt(c.r.URL.Query().Get("after"), 10, 64)
	if err != nil || after < 0 {
		return catalog.FieldErrorf("after", "after must be the number of an event")
	}
	ctx, store := c.r.Context(), c.server.config.Store
	stream := requests.OpenEvents(c.w, c.stillAllowed)
	defer stream.Close()
	for {
		notified := store.NewEvents()
		events, err := store.EventsForMember(ctx, c.id.User.ID, after, 1)
		if err != nil {
			requests.Logger(ctx).Debug("event stream interrupted", "error", err) // the status is sent; ending makes clients reconnect
			return nil
		}
		if len(events) > 0 {
			var b strings.Builder
			requests.WriteEvent(&b, "", strconv.FormatInt(events[0].ID, 10), string(events[0].Kind))
			_ = stream.Send(b.String()) // one that can't be sent is a client that went away, or may not know
			return nil
		}
		select {
		case <-notified:
		case <-c.server.ending:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}
