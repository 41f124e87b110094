package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
)

// keep is how long ended jobs can be looked at.
const keep = 7 * 24 * time.Hour

// Follower hands every event to a consumer, in order, also those that happened
// while the daemon was down.
type Follower struct {
	Store  catalog.Events
	Name   string // of the consumer; its place is kept by it
	Handle func(ctx context.Context, e catalog.Event) error
	Logger hclog.Logger
}

// Run follows events until ctx ends, then returns nil. An event whose Handle
// fails is handed over again, so Handle must bear an event twice.
func (f Follower) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		notified := f.Store.NewEvents()
		err := f.catchUp(ctx)
		pause := time.Minute
		if err != nil && ctx.Err() == nil {
			f.Logger.Error("failed to follow events", "consumer", f.Name, "error", err)
			pause, notified = 5*time.Second, nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-notified:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return nil
}

func (f Follower) catchUp(ctx context.Context) error {
	at, err := f.Store.Cursor(ctx, f.Name)
	if err != nil {
		return err
	}
	for {
		events, err := f.Store.EventsAfter(ctx, "", at, 200)
		if err != nil || len(events) == 0 {
			return err
		}
		for _, e := range events {
			if err = f.Handle(ctx, e); err != nil {
				break
			}
			at = e.ID
		}
		if err = errors.Join(err, f.Store.SetCursor(ctx, f.Name, at)); err != nil {
			return err
		}
	}
}

// Prune forgets ended jobs after a week, looking now and every hour
// until ctx ends; then it returns nil.
func Prune(ctx context.Context, store catalog.Jobs, logger hclog.Logger) error {
	ticker := time.NewTicker(time.Hour)
	defer ticker.Stop()
	for {
		if err := store.PruneJobs(ctx, time.Now().Add(-keep)); err != nil && ctx.Err() == nil {
			logger.Error("failed to delete old jobs", "error", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}
