package builder

import (
	"context"
	"errors"

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
	defer b.versions.lock(versionKey{build.ImageID, build.Version})()
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
	log.sayf(nextStep[catalog.OutcomeCancelled], build.Version)
	b.withdraw(ctx, build)
	log.file.end(build)
	b.forget(build)
}

// Rebuild implements catalog.BuildControl.
func (b *Builder) Rebuild(ctx context.Context, imageID int64, version string, userID int64) (catalog.Build, error) {
	v, err := b.store.Version(ctx, imageID, version)
	if err != nil {
		return catalog.Build{}, err
	}
	switch {
	case v.State == catalog.Built:
		return catalog.Build{}, catalog.Errorf(catalog.Conflict, "version %s is already built and never changes; push a new tag for a new version", version)
	case !v.State.Ended():
		return catalog.Build{}, catalog.Errorf(catalog.Conflict, "version %s is already being built; follow its log, or cancel that build first", version)
	}
	last, err := catalog.NewestBuild(ctx, b.store, v)
	if catalog.CodeOf(err) == catalog.NotFound {
		err = catalog.Wrap(catalog.NotFound, err, "version %s has no build to rebuild; push its tag again", version)
	}
	if err != nil {
		return catalog.Build{}, err
	}
	queued, err := b.Submit(ctx, []catalog.NewBuild{{
		ImageID: imageID, Version: version, Trigger: catalog.TriggerRebuild,
		Commit: last.Commit, UserID: userID, Options: last.Options,
	}})
	if err != nil {
		return catalog.Build{}, err
	}
	return queued[0].Build, nil
}

// RemoveLogs deletes the logs of builds that are gone from the catalog.
func (b *Builder) RemoveLogs(buildIDs []int64) error {
	var errs []error
	for _, id := range buildIDs {
		errs = append(errs, b.logs.remove(id))
	}
	return errors.Join(errs...)
}
