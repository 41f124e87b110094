package builder

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// storeTimeout bounds a write that must happen although the build's context ended.
const storeTimeout = 30 * time.Second

// job is one attempt at one build; one goroutine runs it.
type job struct {
	*Builder
	build catalog.Build
	log   *buildLog
	steps stepSet
	waits string // what the solve waits for, by its last event
}

// work makes one attempt at a claimed build and records how it went.
func (b *Builder) work(ctx context.Context, build catalog.Build) {
	b.places.lock(place{build.ImageID, build.Version})() // whoever queues it has said so in its log then
	j := &job{Builder: b, build: build, log: b.openLog(build)}
	defer j.log.close()
	j.announce()
	ctx, ended := j.traced(ctx)
	result, err := j.attempt(ctx)
	j.settle(context.WithoutCancel(ctx), result, err)
	ended(err)
}

func (j *job) name() string { return j.build.Image.String() + ":" + j.build.Version }

// announce says what is built, and what it waited for.
func (j *job) announce() {
	line := fmt.Sprintf("Building %s from commit %.7s (%s)", j.name(), j.build.Commit, j.build.Trigger)
	if j.build.Attempts > 1 || j.triesOf(j.build.ID).any() {
		line += ", again"
	} else if waited := j.build.StartedAt.Sub(j.build.QueuedAt); waited >= time.Second {
		line += fmt.Sprintf(", waited %s in the queue", humanTime(waited))
	}
	j.log.sayf("%s", line)
}

// attempt solves the build. When ctx was ended by us, the error is the cause.
func (j *job) attempt(ctx context.Context) (SolveResult, error) {
	switch {
	case j.build.Cancelled:
		return SolveResult{}, errCancelled
	case j.interrupted() >= maxInterruptions:
		return SolveResult{}, fmt.Errorf("%w %s", errInterrupted, times(j.interrupted()))
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ctx, stopTimer := context.WithTimeoutCause(ctx, j.config.Timeout, errTimeout)
	defer stopTimer()
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		j.keepLease(ctx, stop)
	}()
	result, err := j.solve(ctx)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	stop(nil)
	<-kept
	return result, err
}

func (j *job) solve(ctx context.Context) (result SolveResult, err error) {
	defer func() {
		if fault := recover(); fault != nil { // one build's fault must not end the others
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	_, opening := j.config.Tracer.Start(ctx, "open tree")
	tree, err := j.config.Sources.Tree(ctx, j.build.Image, j.build.Commit)
	opening.End()
	if err != nil {
		return SolveResult{}, err
	}
	defer func() {
		if err := tree.Close(); err != nil {
			j.logger.Warn("close a build's tree", "build", j.build.ID, "error", err)
		}
	}()
	own, err := repositoryOptions(tree.Whole())
	if err != nil {
		return SolveResult{}, err
	}
	options := j.build.Options.Over(own)
	if err := options.Validate(); err != nil {
		return SolveResult{}, err
	}
	credential, revoke := j.config.Credentials.Issue(catalog.BuildGrant{BuildID: j.build.ID, Image: j.build.Image, Version: j.build.Version})
	defer revoke()
	return j.config.Solver.Solve(ctx, SolveRequest{
		Build: j.build, Options: options, Tree: tree,
		Destination: j.reference(j.config.RegistryHost()), Credential: credential,
	}, j.progress)
}

// reference names the image at a registry.
func (j *job) reference(host string) string {
	return host + "/" + j.build.Image.Repository() + ":" + j.build.Version
}

func (j *job) progress(e Event) {
	j.waits = e.Waits
	if e.Step != nil {
		j.steps.put(*e.Step)
	}
	if e.Line != "" {
		at := e.Time
		if at.IsZero() {
			at = j.now()
		}
		j.log.output(at, e.Line)
	}
}

// keepLease prolongs the lease until ctx ends, or stops the build when the
// lease is lost.
func (j *job) keepLease(ctx context.Context, stop context.CancelCauseFunc) {
	ticker := time.NewTicker(j.config.LeaseTime / 3)
	defer ticker.Stop()
	until := j.now().Add(j.config.LeaseTime)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		next := j.now().Add(j.config.LeaseTime)
		err := j.store.ExtendLease(ctx, j.build.ID, j.config.Owner, next)
		switch {
		case err == nil:
			until = next
		case ctx.Err() != nil:
			return
		case catalog.CodeOf(err) == catalog.Conflict || j.now().After(until):
			stop(errLeaseLost)
			return
		default:
			j.logger.Warn("extend a build's lease", "build", j.build.ID, "error", err)
		}
	}
}

// persist does a write that decides about a build, trying again while the store
// has trouble. Errors: Conflict (the lease is lost), or the store's last one.
func (b *Builder) persist(ctx context.Context, write func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	delay := 50 * time.Millisecond
	for {
		err := write(ctx)
		if err == nil || catalog.CodeOf(err) == catalog.Conflict || ctx.Err() != nil {
			return err
		}
		b.logger.Warn("record a build's state, trying again", "error", err)
		pause(ctx, delay)
		delay *= 2
	}
}

// failureOf says how an attempt's error ends the build.
func (j *job) failureOf(err error) *SolveError {
	var solve *SolveError
	switch {
	case errors.Is(err, errCancelled):
		return &SolveError{Outcome: catalog.OutcomeCancelled, Message: "the build was cancelled"}
	case errors.Is(err, errInterrupted):
		return &SolveError{Outcome: catalog.OutcomeInfrastructure, Message: err.Error(), Err: err}
	case errors.Is(err, errTimeout) && j.waits != "":
		return &SolveError{Outcome: catalog.OutcomeInfrastructure, Message: fmt.Sprintf("the build could not begin for %s: %s", humanTime(j.config.Timeout), j.waits), Err: err}
	case errors.Is(err, errTimeout):
		return &SolveError{Outcome: catalog.OutcomeTimeout, Message: fmt.Sprintf("the build took longer than %s and was stopped", humanTime(j.config.Timeout))}
	case errors.As(err, &solve):
		return solve
	case catalog.CodeOf(err) == catalog.Invalid:
		return &SolveError{Outcome: catalog.OutcomeUserError, Message: catalog.MessageOf(err)}
	case catalog.CodeOf(err) == catalog.NotFound:
		return &SolveError{Outcome: catalog.OutcomeInfrastructure, Message: catalog.MessageOf(err), Err: err}
	}
	return &SolveError{Outcome: catalog.OutcomeInfrastructure, Message: "the build could not be carried out; the server's log has the details", Err: err}
}
