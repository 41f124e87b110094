package rest

import (
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

func (c *call) buildQueue() (out api.BuildQueue, err error) {
	out.Builds, err = list(c, func(page catalog.Page) ([]catalog.QueueEntry, error) {
		return c.server.config.Store.ListQueue(c.r.Context(), page.Before, page.Limit) // in the queue's order
	}, func(e catalog.QueueEntry) int64 { return e.ID }, queuedBuildOf)
	if err != nil {
		return out, err
	}
	store := c.server.config.Store
	pause, err := store.QueuePause(c.r.Context())
	if err != nil {
		return out, err
	}
	if pause.Paused() {
		p := pauseOf(pause)
		out.Pause = &p
	}
	state, err := store.QueueState(c.r.Context())
	if err != nil {
		return out, err
	}
	out.Running, out.Waiting = state.Running, state.Waiting
	return out, nil
}

func (c *call) pauseQueue(in api.PauseQueue) (api.QueuePause, error) {
	pause, err := c.server.config.Store.PauseQueue(c.r.Context(), c.id.User.Name, in.Reason)
	if err != nil {
		return api.QueuePause{}, err
	}
	c.audit("queue paused", "reason", pause.Reason)
	return pauseOf(pause), nil
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
	return c.deleted("Queue Resumed Successfully")
}

func pauseOf(p catalog.QueuePause) api.QueuePause {
	return api.QueuePause{By: p.By, Since: api.Time{Time: p.Since}, Reason: p.Reason}
}

func queuedBuildOf(e catalog.QueueEntry) api.QueuedBuild {
	return api.QueuedBuild{
		Place: e.Place, Namespace: e.Image.Namespace, Image: e.Image.Name, Version: e.Version, Number: e.Number, Trigger: string(e.Trigger), User: e.User,
		QueuedAt: api.Time{Time: e.QueuedAt}, Start: api.Time{Time: e.StartedAt}, NotBefore: api.Time{Time: e.NotBefore},
	}
}
