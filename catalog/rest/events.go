package rest

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

// events lists what happened within the last week, oldest first, or streams it
// on and on: in the namespace that the request names, else in all that the user
// may read. Unlike other lists it goes forward: after names the last event that
// is known.
func (c *call) events() error {
	page, err := c.page()
	if err != nil {
		return err
	}
	after := page.Before
	if requests.WantsEvents(c.r) {
		return c.streamEvents(after)
	}
	events, err := c.eventsAfter(after, page.Limit)
	if err != nil {
		return err
	}
	if len(events) == page.Limit {
		c.linkNext(events[len(events)-1].ID)
	}
	c.send(convertAll(events, eventOf))
	return nil
}

// eventsAfter reads only what the user may read now: a stream outlives rights.
func (c *call) eventsAfter(after int64, limit int) ([]catalog.Event, error) {
	ctx := c.r.Context()
	if c.namespace != "" {
		return c.server.config.Store.EventsAfter(ctx, c.namespace, after, limit)
	}
	again := *c
	if err := again.identify(); err != nil {
		return nil, err
	}
	if again.id.User.Admin {
		return c.server.config.Store.EventsAfter(ctx, "", after, limit)
	}
	return c.server.config.Store.EventsForMember(ctx, again.id.User.ID, after, limit)
}

// streamEvents sends events until the client goes away, from what after or
// Last-Event-ID names, else from now on.
func (c *call) streamEvents(after int64) (err error) {
	ctx := c.r.Context()
	switch last := c.r.Header.Get("Last-Event-ID"); {
	case last != "":
		if after, err = strconv.ParseInt(last, 10, 64); err != nil || after < 0 {
			return catalog.FieldErrorf("Last-Event-ID", "Last-Event-ID must be the number of an event")
		}
	case after == 0:
		if after, err = c.server.config.Store.LastEvent(ctx); err != nil {
			return err
		}
	}
	stream := requests.OpenEvents(c.w, c.stillAllowed)
	defer stream.Close()
	for {
		notified := c.server.config.Store.NewEvents()
		after, err = c.sendEvents(stream, after)
		if err != nil {
			// The status is sent; ending makes clients reconnect.
			requests.Logger(ctx).Debug("event stream interrupted", "error", err)
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

// sendEvents sends all events after one and returns the last.
func (c *call) sendEvents(stream *requests.Events, after int64) (int64, error) {
	for {
		more, err := c.eventsAfter(after, 0)
		if err != nil || len(more) == 0 {
			return after, err
		}
		var b strings.Builder
		for _, e := range more {
			data, err := json.Marshal(eventOf(e))
			if err != nil {
				return after, err
			}
			requests.WriteEvent(&b, string(e.Kind), strconv.FormatInt(e.ID, 10), string(data))
			after = e.ID
		}
		if err := stream.Send(b.String()); err != nil {
			return after, err
		}
	}
}

func eventOf(e catalog.Event) api.Event {
	return api.Event{
		ID: e.ID, Event: string(e.Kind), At: api.Time{Time: e.At}, Namespace: e.Image.Namespace, Image: e.Image.Name, Version: e.Version,
		State: string(e.State), Commit: e.Commit, Digest: e.Digest, Build: e.Number, Trigger: string(e.Trigger), Outcome: string(e.Outcome),
		Message: e.Message, Member: e.Member, Role: e.Role.Name(), From: e.From, To: e.To,
	}
}
