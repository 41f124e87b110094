package builder

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/fandoghpaas/fandogh/catalog"
)

var _ catalog.Rebuilder = (*Builder)(nil)

// again is what is other in an attempt of BuildAgain.
type again struct {
	tag  string // that the image is stored under
	made catalog.BuildFacts
}

// BuildAgain implements catalog.Rebuilder. It is no build of the queue: nobody but the caller waits for it, and nothing of it is kept.
func (b *Builder) BuildAgain(ctx context.Context, image catalog.Image, version catalog.Version, made catalog.BuildFacts, say func(line string)) (digest string, err error) {
	if err := version.CheckRebuilt(); err != nil {
		return "", err
	}
	switch pause, err := b.store.QueuePause(ctx); {
	case err != nil:
		return "", err
	case pause.Paused():
		return "", catalog.Errorf(catalog.Unavailable, "%s; try again when it is resumed", pause)
	}
	build, err := catalog.NewestBuild(ctx, b.store, version)
	if err != nil {
		return "", err
	}
	if err := b.config.Room(); err != nil {
		return "", err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	defer context.AfterFunc(b.draining, func() { end(errDraining) })()
	build.QueuedAt, build.StartedAt = b.now(), b.now()
	build.Options.Labels = cmp.Or(made.Options.Labels, build.Options.Labels)
	a := &attempt{builder: b, build: build, again: &again{catalog.RebuildTag(version.Digest), made}}
	a.log = &buildLog{lineSink: &told{say: say}, queued: build.QueuedAt, now: b.now, logger: b.logger.With("build", build.ID), bound: logBound()}
	a.log.sayf("Building %s again from commit %.7s, without caches", a.name(), build.Commit)
	ctx, stop, err := a.limit(ctx)
	if err != nil {
		return "", err
	}
	defer stop()
	result, err := a.solve(ctx)
	if err != nil {
		return "", a.failedAgain(ctx, err)
	}
	return result.Digest, nil
}

// failedAgain says why there is nothing to compare with.
func (a *attempt) failedAgain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return err // nobody waits for it any more
	case errors.Is(err, errDraining):
		return catalog.Errorf(catalog.Unavailable, "the server is shutting down; ask again after its restart")
	}
	failure := a.failureOf(err)
	for _, line := range failure.Detail {
		a.log.sayf("%s", line)
	}
	code := catalog.Invalid
	if failure.Outcome == catalog.OutcomeInfrastructure {
		code = catalog.Unavailable
		a.builder.logger.Warn("a version could not be built again", "image", a.build.Image, "version", a.build.Version, "error", err)
	}
	return catalog.Wrap(code, err, "version %q can't be built again: %s", a.build.Version, failure.Message)
}

// change makes of a version's request that of building it again. The image does not depend on its test.
func (g *again) change(r *SolveRequest) {
	r.Options.NoCache, r.Options.Test, r.Apart, r.Pinned = true, "", true, g.made.Bases
}

// checkSecrets refuses to build without what steps could ask for.
func (g *again) checkSecrets(secrets []catalog.OpenSecret) error {
	for _, name := range g.made.Secrets {
		if !slices.ContainsFunc(secrets, func(s catalog.OpenSecret) bool { return s.Name == name }) {
			return catalog.Errorf(catalog.Invalid, "secret %s, which its steps could ask for, is not set any more; set it first", name)
		}
	}
	return nil
}
