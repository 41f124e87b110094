package builder

import (
	"context"
	"errors"
	"fmt"

	"github.com/fandoghpaas/fandogh/catalog"
)

var _ catalog.BuildControl = (*Builder)(nil)

// Cancel implements catalog.BuildControl. A running build ends within about a
// second after Cancel returned; a waiting one has ended by then.
func (b *Builder) Cancel(ctx context.Context, buildID int64) error {
	_, err := b.cancel(ctx, buildID, func(catalog.Build) bool { return true })
	return err
}

// cancel ends a waiting build and stops a running one, if it may, and reports whether
// it did.
func (b *Builder) cancel(ctx context.Context, buildID int64, may func(catalog.Build) bool) (bool, error) {
	build, err := b.store.Build(ctx, buildID)
	if err != nil {
		return false, err
	}
	defer b.tags.lock(keyOf(build))()
	build, err = b.markCancelled(ctx, buildID, may)
	if err != nil || !build.Cancelled {
		return false, err
	}
	if build.State.Ended() {
		b.endWaiting(context.WithoutCancel(ctx), build)
	}
	return true, nil
}

// markCancelled does so in the store, and stops a build that runs.
func (b *Builder) markCancelled(ctx context.Context, buildID int64, may func(catalog.Build) bool) (catalog.Build, error) {
	b.queue.Lock() // else it might be claimed and not yet be among those that run
	defer b.queue.Unlock()
	build, err := b.store.Build(ctx, buildID)
	if err != nil || !may(build) {
		return catalog.Build{}, err
	}
	build, err = b.store.CancelBuild(ctx, buildID, b.now())
	if running, ok := b.running[buildID]; ok && err == nil && !build.State.Ended() {
		running.stop(errCancelled)
	}
	return build, err
}

// endWaiting closes the log of a build that was cancelled before it began.
func (b *Builder) endWaiting(ctx context.Context, build catalog.Build) {
	log := b.openLog(build)
	defer log.close()
	log.sayf("%s:%s was not built (cancelled): it was removed from the queue", build.Image, build.Version)
	log.sayf(nextStep[catalog.OutcomeCancelled], askAgain(build, false))
	b.withdraw(ctx, build)
	log.file.end(build)
	b.forget(build)
}

// Queued implements catalog.BuildControl.
func (b *Builder) Queued(ctx context.Context, buildID int64) (catalog.QueuePlace, error) {
	place, err := b.store.QueuePlace(ctx, buildID)
	if err != nil {
		return place, err
	}
	held := b.config.Room()
	switch left := place.NotBefore.Sub(b.now()); {
	case place.Pause.Paused():
		place.Why = place.Pause.String()
	case held != nil:
		place.Why = catalog.MessageOf(held)
	case left > 0:
		place.Why = fmt.Sprintf("it is tried again in %s", humanTime(left))
	case place.NamespaceIsFull():
		place.Why = fmt.Sprintf("its namespace runs %s, as many as it may at once", plural(place.OfNamespace, "build"))
	default:
		place.Why = fmt.Sprintf("the server runs at most %s at once", plural(b.settings.Load().Parallel, "build"))
	}
	return place, nil
}

// Wake implements catalog.BuildControl.
func (b *Builder) Wake() { b.signal() }

// Rebuild implements catalog.BuildControl.
func (b *Builder) Rebuild(ctx context.Context, imageID int64, version string, userID int64, options []string) (catalog.Build, error) {
	v, err := b.store.Version(ctx, imageID, version)
	if err != nil {
		return catalog.Build{}, err
	}
	if err := v.CheckRebuild(); err != nil {
		return catalog.Build{}, err
	}
	if err := b.config.Room(); err != nil {
		return catalog.Build{}, err
	}
	last, err := catalog.NewestBuild(ctx, b.store, v)
	if catalog.CodeOf(err) == catalog.NotFound {
		err = catalog.Wrap(catalog.NotFound, err, "version %s has no build to rebuild; push its tag again", version)
	}
	if err != nil {
		return catalog.Build{}, err
	}
	again, err := last.Again(userID, options)
	if err != nil {
		return catalog.Build{}, err
	}
	queued, err := b.Submit(ctx, []catalog.NewBuild{again})
	if err != nil {
		return catalog.Build{}, err
	}
	return queued[0].Build, nil
}

// RemoveLogs deletes the logs of builds that are gone from the catalog, or that ended long ago, and returns how many bytes
// they had. What is not there is no error.
func (b *Builder) RemoveLogs(buildIDs []int64) (bytes int64, err error) {
	var errs []error
	for _, id := range buildIDs {
		n, err := b.logs.remove(id)
		bytes, errs = bytes+n, append(errs, err)
	}
	return bytes, errors.Join(errs...)
}
