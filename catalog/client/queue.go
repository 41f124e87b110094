package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

// queuePage is how many builds of the queue are asked for at once, which is the most that there may be.
const queuePage = 500

// Queue lists the builds that run and wait, up to limit of them, unless that is 0. It is for administrators, as PauseQueue and
// ResumeQueue are.
func (c *Client) Queue(ctx context.Context, limit int) (out api.BuildQueue, err error) {
	next, err := c.api("admin", "queue")
	if err != nil {
		return out, err
	}
	if limit > 0 {
		next.RawQuery = url.Values{"limit": {strconv.Itoa(min(limit, queuePage))}}.Encode()
	}
	for builds := []api.QueuedBuild{}; ; {
		out = api.BuildQueue{}
		header, err := c.call(ctx, http.MethodGet, next, nil, &out)
		if err != nil {
			return out, err
		}
		builds = append(builds, out.Builds...)
		if next = nextPage(next, header); next == nil || limit > 0 && len(builds) >= limit {
			if out.Builds = builds; limit > 0 {
				out.Builds = builds[:min(limit, len(builds))]
			}
			return out, nil
		}
	}
}

// PauseQueue has no build start until ResumeQueue; pushes are accepted, and their builds wait.
func (c *Client) PauseQueue(ctx context.Context, reason string) (api.QueuePause, error) {
	return ask[api.QueuePause](ctx, c, http.MethodPut, api.PauseQueue{Reason: reason}, "admin", "queue", "pause")
}

// ResumeQueue has builds start again; of a queue that is not paused it is no error.
func (c *Client) ResumeQueue(ctx context.Context) error {
	return c.remove(ctx, "admin", "queue", "pause")
}
