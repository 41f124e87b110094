package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

// Queue lists the builds that run and wait, up to limit of them, unless that is 0. It is for administrators, as PauseQueue and
// ResumeQueue are.
func (c *Client) Queue(ctx context.Context, limit int) (out api.BuildQueue, err error) {
	u, err := c.api("admin", "queue")
	if err != nil {
		return out, err
	}
	if limit > 0 {
		u.RawQuery = url.Values{"limit": {strconv.Itoa(limit)}}.Encode()
	}
	_, err = c.call(ctx, http.MethodGet, u, nil, &out)
	return out, err
}

// PauseQueue has no build start until ResumeQueue; pushes are accepted, and their builds wait.
func (c *Client) PauseQueue(ctx context.Context, reason string) (api.QueuePause, error) {
	return ask[api.QueuePause](ctx, c, http.MethodPut, api.PauseQueue{Reason: reason}, "admin", "queue", "pause")
}

// ResumeQueue has builds start again; of a queue that is not paused it is no error.
func (c *Client) ResumeQueue(ctx context.Context) error {
	return c.remove(ctx, "admin", "queue", "pause")
}
