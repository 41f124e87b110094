package builder

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
)

// recordOutcome records how an attempt went and lets the next build in. ctx outlives
// the build's own.
//
// The order heals a crash at any point: log, then tag, then store, then
// followers. Until the store has the end, a restart builds again; a reader who
// learns the end, by a follower's return or from the store, finds the whole log and
// no tag of a version that failed.
func (a *attempt) recordOutcome(ctx context.Context, result SolveResult, err error) {
	defer a.builder.signal()
	defer a.leave()
	defer a.builder.tags.lock(keyOf(a.build))()

	var unrecorded error
	switch {
	case err == nil:
		unrecorded = a.succeed(ctx, result)
	case errors.Is(err, errLeaseLost):
		unrecorded = err
	case errors.Is(err, errDraining):
		a.log.sayf("The server is shutting down: the build is requeued and starts again after the restart")
		unrecorded = a.release(ctx, a.builder.now(), true)
	default:
		unrecorded = a.failed(ctx, a.failureOf(err))
	}
	switch {
	case unrecorded == nil:
	case errors.Is(unrecorded, errLeaseLost) || catalog.CodeOf(unrecorded) == catalog.Conflict:
		a.builder.logger.Warn("dropped a build whose lease was lost", "build", a.build.ID)
		a.log.sayf("The server lost track of this build; it continues as a new attempt")
		if err := a.builder.reclaim(ctx); err != nil {
			a.builder.logger.Error("failed to look for builds without a worker", "error", err)
		}
	default:
		// The lease ends by itself; then the build is tried again.
		a.builder.logger.Error("failed to record the result of a build", "build", a.build.ID, "error", unrecorded)
	}
}

// leave frees the build's slot.
func (a *attempt) leave() {
	a.builder.queue.Lock()
	defer a.builder.queue.Unlock()
	delete(a.builder.running, a.build.ID)
}

func (a *attempt) succeed(ctx context.Context, result SolveResult) error {
	if err := a.hold(ctx); err != nil {
		return err
	}
	switch taken, err := a.taken(ctx, result.Digest); {
	case err != nil:
		return err
	case taken != nil:
		return a.failed(ctx, taken)
	}
	a.restore(ctx)
	ended := a.builder.now()
	unchanged := a.unchanged(result)
	a.summarize(ctx, result, unchanged, ended)
	a.facts.add(result)
	return a.finish(ctx, catalog.BuildResult{
		Outcome: catalog.OutcomeBuilt, Message: unchanged, Digest: result.Digest, Size: result.Size, Recipe: result.Recipe, EndedAt: ended, Steps: a.steps.list(), Facts: &a.facts.BuildFacts,
	})
}

// taken says that the version was another image before it was deleted, nil when it was not.
func (a *attempt) taken(ctx context.Context, digest string) (failure *SolveError, err error) {
	err = a.builder.persist(ctx, func(ctx context.Context) error {
		t, err := a.builder.store.Tombstone(ctx, a.build.ImageID, a.build.Version)
		if catalog.CodeOf(err) == catalog.NotFound {
			return nil
		}
		if err == nil && t.CheckDigest(digest) != nil {
			failure = &SolveError{Outcome: catalog.OutcomeUserError, Message: "this build made " + digest + ", and " + catalog.MessageOf(t.Refuse())}
		}
		return err
	})
	return failure, err
}

// restore puts back the tag that an earlier, failed build of the version has
// lost. The image is good without it, so it is not waited for.
func (a *attempt) restore(ctx context.Context) {
	err := a.builder.config.Sources.SetTag(ctx, a.build.Source, a.build.Tag, tagged(a.build))
	if err != nil {
		a.builder.logger.Error("failed to restore the tag of a built version", "image", a.build.Image, "tag", a.build.Tag, "error", err)
	}
}

// failed ends the build, or has it tried again when the fault is ours.
func (a *attempt) failed(ctx context.Context, failure *SolveError) error {
	level := hclog.Info
	if failure.Outcome == catalog.OutcomeInfrastructure {
		level = hclog.Error
	}
	a.builder.logger.Log(level, "build did not succeed", "build", a.build.ID, "version", a.name(), "attempt", a.build.Attempts, "outcome", failure.Outcome, "error", failure)
	final := errors.Is(failure, errTimeout) || errors.Is(failure, errInterrupted)
	if failure.Outcome == catalog.OutcomeInfrastructure && !final {
		if again, err := a.retry(ctx, failure); again {
			return err
		}
	}
	if err := a.hold(ctx); err != nil {
		return err
	}
	a.explain(failure)
	a.builder.withdraw(ctx, a.build)
	return a.finish(ctx, catalog.BuildResult{
		Outcome: failure.Outcome, Message: failure.Message, EndedAt: a.builder.now(), Steps: a.steps.list(),
	})
}

func (a *attempt) release(ctx context.Context, notBefore time.Time, refund bool) error {
	return a.builder.persist(ctx, func(ctx context.Context) error {
		return a.builder.store.ReleaseBuild(ctx, a.build.ID, a.builder.config.WorkerID, notBefore, refund)
	})
}

// hold makes sure the build is still ours before its end is written anywhere.
func (a *attempt) hold(ctx context.Context) error {
	return a.builder.persist(ctx, func(ctx context.Context) error {
		return a.builder.store.ExtendLease(ctx, a.build.ID, a.builder.config.WorkerID, a.builder.now().Add(a.builder.config.LeaseTime))
	})
}

func (a *attempt) finish(ctx context.Context, r catalog.BuildResult) error {
	if err := a.log.sync(); err != nil {
		a.builder.logger.Error("failed to sync a build's log", "build", a.build.ID, "error", err)
	}
	err := a.builder.persist(ctx, func(ctx context.Context) error {
		return a.builder.store.FinishBuild(ctx, a.build.ID, a.builder.config.WorkerID, r)
	})
	if err != nil {
		return err
	}
	ended := a.build
	ended.Outcome, ended.Message, ended.EndedAt = r.Outcome, r.Message, r.EndedAt
	ended.State = r.Outcome.State()
	a.log.file.end(ended)
	a.builder.forget(a.build)
	a.builder.logger.Info("build ended", "build", a.build.ID, "version", a.name(), "outcome", r.Outcome, "took", r.EndedAt.Sub(a.build.StartedAt).Round(time.Millisecond))
	return nil
}

// tagged is the object of a build's tag.
func tagged(b catalog.Build) string { return cmp.Or(b.TagObject, b.Commit) }

// withdraw removes the tag of a version that was not built, after keeping what it
// is of for a rebuild. It stays while another image's version of it is built, or may be. The store must not wait for it: what fails here is
// found again at the next start.
func (b *Builder) withdraw(ctx context.Context, build catalog.Build) {
	err := b.config.Sources.Keep(ctx, build.Source, tagged(build))
	if err == nil || catalog.CodeOf(err) == catalog.NotFound {
		var needed bool
		if needed, err = b.needsTag(ctx, build); err == nil && !needed {
			err = b.config.Sources.WithdrawTag(ctx, build.Source, build.Tag, build.Commit)
		}
	}
	if err != nil && catalog.CodeOf(err) != catalog.NotFound {
		b.logger.Error("failed to withdraw the tag of a version that was not built", "image", build.Image, "tag", build.Tag, "error", err)
	}
}

// needsTag reports whether another version of a build's tag is built or being built.
func (b *Builder) needsTag(ctx context.Context, build catalog.Build) (bool, error) {
	versions, err := b.store.TagVersions(ctx, build.SourceID, build.Tag)
	return slices.ContainsFunc(versions, func(v catalog.Version) bool {
		return v.ID != build.VersionID && v.Commit == build.Commit && v.State.HoldsTag()
	}), err
}
