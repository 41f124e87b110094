package builder

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
)

// settle records how an attempt went and lets the next build in. ctx outlives
// the build's own.
//
// The order heals a crash at any point: log, then tag, then store, then
// followers. Until the store has the end, a restart builds again; whoever is
// told the end, by a follower's return or by the store, finds the whole log and
// no tag of a version that failed.
func (j *job) settle(ctx context.Context, result SolveResult, err error) {
	defer j.signal()
	defer j.leave()
	defer j.places.lock(place{j.build.ImageID, j.build.Version})()

	var settled error
	switch {
	case err == nil:
		settled = j.succeed(ctx, result)
	case errors.Is(err, errLeaseLost):
		settled = err
	case errors.Is(err, errDraining):
		j.log.sayf("The server is shutting down: the build goes back to the queue and starts again after the restart")
		settled = j.release(ctx, j.now(), true)
	default:
		settled = j.failed(ctx, j.failureOf(err))
	}
	switch {
	case settled == nil:
	case errors.Is(settled, errLeaseLost) || catalog.CodeOf(settled) == catalog.Conflict:
		j.logger.Warn("dropped a build whose lease was lost", "build", j.build.ID)
		j.log.sayf("The server lost hold of this build; it goes on as a new attempt")
		if err := j.reclaim(ctx); err != nil {
			j.logger.Error("look for builds without a worker", "error", err)
		}
	default:
		// The lease ends by itself; then the build is tried again.
		j.logger.Error("record how a build ended", "build", j.build.ID, "error", settled)
	}
}

// leave frees the build's slot.
func (j *job) leave() {
	j.queue.Lock()
	defer j.queue.Unlock()
	delete(j.running, j.build.ID)
}

func (j *job) succeed(ctx context.Context, result SolveResult) error {
	if err := j.hold(ctx); err != nil {
		return err
	}
	j.restore(ctx)
	ended := j.now()
	j.summarize(result, ended)
	return j.finish(ctx, catalog.BuildResult{
		Outcome: catalog.OutcomeBuilt, Digest: result.Digest, Size: result.Size, EndedAt: ended, Steps: j.steps.list(),
	})
}

// restore puts back the tag that an earlier, failed build of the version has
// lost; an annotated one comes back as a lightweight one. The image is good
// without it, so it is not waited for.
func (j *job) restore(ctx context.Context) {
	err := j.config.Sources.SetTag(ctx, j.build.Image, j.build.Version, j.build.Commit)
	if err != nil {
		j.logger.Error("put back the tag of a built version", "image", j.build.Image, "version", j.build.Version, "error", err)
	}
}

// failed ends the build, or has it tried again when the fault is ours.
func (j *job) failed(ctx context.Context, failure *SolveError) error {
	level := hclog.Info
	if failure.Outcome == catalog.OutcomeInfrastructure {
		level = hclog.Error
	}
	j.logger.Log(level, "build did not succeed", "build", j.build.ID, "version", j.name(), "attempt", j.build.Attempts, "outcome", failure.Outcome, "error", failure)
	final := errors.Is(failure, errTimeout) || errors.Is(failure, errInterrupted)
	if failure.Outcome == catalog.OutcomeInfrastructure && !final {
		if again, err := j.retry(ctx, failure); again {
			return err
		}
	}
	if err := j.hold(ctx); err != nil {
		return err
	}
	j.explain(failure)
	j.withdraw(ctx, j.build)
	return j.finish(ctx, catalog.BuildResult{
		Outcome: failure.Outcome, Message: failure.Message, EndedAt: j.now(), Steps: j.steps.list(),
	})
}

func (j *job) release(ctx context.Context, notBefore time.Time, refund bool) error {
	return j.persist(ctx, func(ctx context.Context) error {
		return j.store.ReleaseBuild(ctx, j.build.ID, j.config.Owner, notBefore, refund)
	})
}

// hold makes sure the build is still ours before anybody is told its end.
func (j *job) hold(ctx context.Context) error {
	return j.persist(ctx, func(ctx context.Context) error {
		return j.store.ExtendLease(ctx, j.build.ID, j.config.Owner, j.now().Add(j.config.LeaseTime))
	})
}

func (j *job) finish(ctx context.Context, r catalog.BuildResult) error {
	if err := j.log.file.sync(); err != nil {
		j.logger.Error("sync the build's log", "build", j.build.ID, "error", err)
	}
	err := j.persist(ctx, func(ctx context.Context) error {
		return j.store.FinishBuild(ctx, j.build.ID, j.config.Owner, r)
	})
	if err != nil {
		return err
	}
	ended := j.build
	ended.Outcome, ended.Message, ended.EndedAt = r.Outcome, r.Message, r.EndedAt
	ended.State = r.Outcome.State()
	j.log.file.end(ended)
	j.forget(j.build)
	j.logger.Info("build ended", "build", j.build.ID, "version", j.name(), "outcome", r.Outcome, "took", r.EndedAt.Sub(j.build.StartedAt).Round(time.Millisecond))
	return nil
}

// withdraw removes the tag of a version that was not built, after keeping its
// commit for a rebuild. The store must not wait for it: what fails here is
// found again at the next start.
func (b *Builder) withdraw(ctx context.Context, build catalog.Build) {
	err := b.config.Sources.Keep(ctx, build.Image, build.Commit)
	if err == nil || catalog.CodeOf(err) == catalog.NotFound {
		err = b.config.Sources.WithdrawTag(ctx, build.Image, build.Version, build.Commit)
	}
	if err != nil && catalog.CodeOf(err) != catalog.NotFound {
		b.logger.Error("withdraw the tag of a version that was not built", "image", build.Image, "version", build.Version, "error", err)
	}
}
