// Package workers asks a BuildKit for its workers: whether it can build at all, for what platforms, and on what file system.
package workers

import (
	"context"
	"errors"
	"time"

	"github.com/moby/buildkit/client"
)

// Timeout is how long a BuildKit may take to say that it is there.
const Timeout = 5 * time.Second

// List returns the workers of a BuildKit that responds within Timeout, at least one.
func List(ctx context.Context, c *client.Client) ([]*client.WorkerInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	all, err := c.ListWorkers(ctx)
	if err == nil && len(all) == 0 {
		err = errors.New("BuildKit has no worker")
	}
	return all, err
}
