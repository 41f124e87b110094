package builder

import (
	"context"
	"errors"

	"github.com/fandoghpaas/fandogh/catalog"
)

var _ catalog.BuildLogs = (*Builder)(nil)

// ReadLog implements catalog.BuildLogs.
func (b *Builder) ReadLog(ctx context.Context, buildID int64, skip, limit int) ([]catalog.LogLine, error) {
	log, release := b.useLog(buildID)
	defer release()
	if err := log.open(); err != nil {
		return nil, catalog.Wrap(catalog.Internal, err, "failed to read the log of build %d", buildID)
	}
	if log.length() == 0 { // seldom, so that reading asks the store of nothing
		build, err := b.store.Build(ctx, buildID)
		if err == nil {
			err = build.CheckLog()
		} else if catalog.CodeOf(err) == catalog.NotFound { // a log of no build has no lines either
			err = nil
		}
		if err != nil {
			return nil, err
		}
	}
	at, now, buffer := log.after(skip), log.snapshot(), make([]byte, readChunk)
	var lines []catalog.LogLine
	for limit == 0 || len(lines) < limit {
		more, err := at.next(now, buffer, max(0, limit-len(lines)))
		if err != nil {
			return nil, catalog.Wrap(catalog.Internal, err, "failed to read the log of build %d", buildID)
		}
		if len(more) == 0 {
			break
		}
		lines = append(lines, more...)
	}
	return lines, nil
}

// RunningSteps returns the steps of a build that runs, as they stand now, in the order in which they started; none of another build.
func (b *Builder) RunningSteps(buildID int64) []catalog.Step {
	if steps, ok := b.steps.Load(buildID); ok {
		return steps.(*stepSet).list()
	}
	return nil
}

// FollowLog implements catalog.BuildLogs. A follower costs one goroutine, its
// caller's; it is woken by the log and reads the file at its own pace.
func (b *Builder) FollowLog(ctx context.Context, buildID int64, skip int, emit func([]catalog.LogLine) error) (catalog.Build, error) {
	// The log is held before the store is asked: an end that the store does
	// not know yet will be told through the log.
	log, release := b.useLog(buildID)
	defer release()
	build, err := b.store.Build(ctx, buildID)
	if err == nil {
		err = build.CheckLog()
	}
	if err != nil {
		return catalog.Build{}, err
	}
	if err := log.open(); err != nil {
		return build, catalog.Wrap(catalog.Internal, err, "failed to read the log of build %d", buildID)
	}
	at := log.after(skip)
	for {
		down, now := b.isDown(), log.snapshot() // in this order: lines come before the end
		if err := at.drain(ctx, now, emit); err != nil {
			return build, err
		}
		switch {
		case now.ended != nil:
			return *now.ended, nil
		case build.State.Ended():
			return build, nil
		case down:
			return build, catalog.Errorf(catalog.Unavailable, "the server is shutting down; the build stays queued and resumes after the restart")
		}
		select {
		case <-now.changed:
		case <-b.down:
		case <-ctx.Done():
			return build, context.Cause(ctx)
		}
	}
}

// ReadLogFile hands over the lines that a build's log has by now, of those in Config.LogDir: also beside the process that
// writes it. No log has no lines.
func ReadLogFile(ctx context.Context, dir string, buildID int64, emit func([]catalog.LogLine) error) (err error) {
	log := newLogFile(buildID, LogPath(dir, buildID))
	if err := log.open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.close()) }()
	at := log.after(0)
	return at.drain(ctx, log.snapshot(), emit)
}

// drain hands over every line there is by now.
func (c *cursor) drain(ctx context.Context, now snapshot, emit func([]catalog.LogLine) error) error {
	if c.position >= now.size {
		return ctx.Err()
	}
	// Not kept between wake-ups: a follower that waits holds no buffer.
	size := min(int64(readChunk), now.size-c.position)
	buffer := make([]byte, size)
	for ctx.Err() == nil {
		lines, err := c.next(now, buffer, 0)
		if err != nil {
			return catalog.Wrap(catalog.Internal, err, "failed to read the log of build %d", c.log.id)
		}
		if len(lines) == 0 {
			return nil
		}
		if err := emit(lines); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

func (b *Builder) isDown() bool {
	select {
	case <-b.down:
		return true
	default:
		return false
	}
}

// useLog returns a build's log and the function that gives it back.
func (b *Builder) useLog(buildID int64) (*logFile, func()) {
	log := b.logs.acquire(buildID)
	return log, func() {
		if err := b.logs.release(log); err != nil {
			b.logger.Warn("failed to close a build's log", "build", buildID, "error", err)
		}
	}
}
