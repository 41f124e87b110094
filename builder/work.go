package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// storeTimeout bounds a write that must happen although the build's context ended.
const storeTimeout = 30 * time.Second

// attempt is one attempt at one build; one goroutine runs it.
type attempt struct {
	builder *Builder
	build   catalog.Build
	log     *buildLog
	steps   stepSet
	waits   string // what the solve waits for, by its last event
}

// work makes one attempt at a claimed build and records how it went.
func (b *Builder) work(ctx context.Context, build catalog.Build) {
	b.versions.lock(versionKey{build.ImageID, build.Version})() // the queueing call has written to its log then
	a := &attempt{builder: b, build: build, log: b.openLog(build)}
	defer a.log.close()
	a.announce()
	ctx, ended := a.traced(ctx)
	result, err := a.run(ctx)
	a.recordOutcome(context.WithoutCancel(ctx), result, err)
	ended(err)
}

func (a *attempt) name() string { return a.build.Image.String() + ":" + a.build.Version }

// announce says what is built, and what it waited for.
func (a *attempt) announce() {
	line := fmt.Sprintf("Building %s from commit %.7s (%s)", a.name(), a.build.Commit, a.build.Trigger)
	if a.build.Attempts > 1 || a.builder.triesOf(a.build.ID).any() {
		line += ", again"
	} else if waited := a.build.StartedAt.Sub(a.build.QueuedAt); waited >= time.Second {
		line += fmt.Sprintf(", waited %s in the queue", humanTime(waited))
	}
	a.log.sayf("%s", line)
}

// run solves the build. When ctx was ended by us, the error is the cause.
func (a *attempt) run(ctx context.Context) (SolveResult, error) {
	switch {
	case a.build.Cancelled:
		return SolveResult{}, errCancelled
	case a.interrupted() >= maxInterruptions:
		return SolveResult{}, fmt.Errorf("%w %s", errInterrupted, times(a.interrupted()))
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ctx, stopTimer := context.WithTimeoutCause(ctx, a.builder.config.Timeout, errTimeout)
	defer stopTimer()
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		a.keepLease(ctx, stop)
	}()
	result, err := a.solve(ctx)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	stop(nil)
	<-kept
	return result, err
}

func (a *attempt) solve(ctx context.Context) (result SolveResult, err error) {
	defer func() {
		if fault := recover(); fault != nil { // one build's fault must not end the others
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	_, opening := a.builder.config.Tracer.Start(ctx, "open tree")
	tree, err := a.builder.config.Sources.Tree(ctx, a.build.Image, a.build.Commit)
	opening.End()
	if err != nil {
		return SolveResult{}, err
	}
	defer func() {
		if err := tree.Close(); err != nil {
			a.builder.logger.Warn("failed to close a build's tree", "build", a.build.ID, "error", err)
		}
	}()
	own, err := readRepositoryConfig(tree.Whole())
	if err != nil {
		return SolveResult{}, err
	}
	options := a.build.Options.WithDefaults(own.options).WithDefaults(catalog.BuildOptions{Labels: a.builder.config.Labels})
	if err := options.Validate(); err != nil {
		return SolveResult{}, err
	}
	a.openSubmodules(ctx, tree, options)
	as := catalog.CheckedOut{Tag: a.build.Version, Branch: options.Branch}
	if options.KeepGit {
		if err := tree.KeepGit(ctx, as); err != nil {
			return SolveResult{}, err
		}
	}
	var secrets []catalog.OpenSecret
	if a.builder.config.Secrets != nil {
		if secrets, err = a.builder.config.Secrets.ForBuild(ctx, a.build); err != nil {
			return SolveResult{}, err
		}
	}
	credential, revoke := a.builder.config.Credentials.Issue(catalog.BuildGrant{BuildID: a.build.ID, Image: a.build.Image, Version: a.build.Version})
	defer revoke()
	return a.builder.config.Solver.Solve(ctx, SolveRequest{
		Build: a.build, Options: options, Tree: tree, As: as,
		Destination: a.reference(a.builder.config.RegistryHost()), Credential: credential, Secrets: secrets,
	}, a.progress)
}

// openSubmodules lets the build read what is in other repositories.
func (a *attempt) openSubmodules(ctx context.Context, tree catalog.Tree, options catalog.BuildOptions) {
	if a.builder.config.Submodules == nil {
		return
	}
	tree.OpenSubmodules(ctx, catalog.SubmoduleAccess{
		Find: func(ctx context.Context, base, url string) (catalog.SubmoduleSource, error) {
			return a.builder.config.Submodules.Find(ctx, a.build, cmp.Or(base, options.Source), url)
		},
		Say: func(line string) { a.log.sayf("%s", line) },
	})
}

// reference names the image at a registry.
func (a *attempt) reference(host string) string {
	return host + "/" + a.build.Image.Repository() + ":" + a.build.Version
}

func (a *attempt) progress(e Event) {
	a.waits = e.Waits
	if e.Step != nil {
		a.steps.put(*e.Step)
	}
	if e.Line != "" {
		at := e.Time
		if at.IsZero() {
			at = a.builder.now()
		}
		a.log.output(at, e.Line)
	}
}

// keepLease prolongs the lease until ctx ends, or stops the build when the
// lease is lost.
func (a *attempt) keepLease(ctx context.Context, stop context.CancelCauseFunc) {
	ticker := time.NewTicker(a.builder.config.LeaseTime / 3)
	defer ticker.Stop()
	until := a.builder.now().Add(a.builder.config.LeaseTime)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		next := a.builder.now().Add(a.builder.config.LeaseTime)
		err := a.builder.store.ExtendLease(ctx, a.build.ID, a.builder.config.WorkerID, next)
		switch {
		case err == nil:
			until = next
		case ctx.Err() != nil:
			return
		case catalog.CodeOf(err) == catalog.Conflict || a.builder.now().After(until):
			stop(errLeaseLost)
			return
		default:
			a.builder.logger.Warn("failed to extend a build's lease", "build", a.build.ID, "error", err)
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
		b.logger.Warn("failed to record a build's state; retrying", "error", err)
		pause(ctx, delay)
		delay *= 2
	}
}

// failureOf says how an attempt's error ends the build.
func (a *attempt) failureOf(err error) *SolveError {
	var solve *SolveError
	switch {
	case errors.Is(err, errCancelled):
		return &SolveError{Outcome: catalog.OutcomeCancelled, Message: "the build was cancelled"}
	case errors.Is(err, errInterrupted):
		return &SolveError{Outcome: catalog.OutcomeInfrastructure, Message: err.Error(), Err: err}
	case errors.Is(err, errTimeout) && a.waits != "":
		return &SolveError{Outcome: catalog.OutcomeInfrastructure, Message: fmt.Sprintf("the build could not start for %s: %s", humanTime(a.builder.config.Timeout), a.waits), Err: err}
	case errors.Is(err, errTimeout):
		return &SolveError{Outcome: catalog.OutcomeTimeout, Message: fmt.Sprintf("the build took longer than %s and was stopped", humanTime(a.builder.config.Timeout))}
	case errors.As(err, &solve):
		return solve
	case catalog.CodeOf(err) == catalog.Invalid:
		return &SolveError{Outcome: catalog.OutcomeUserError, Message: catalog.MessageOf(err)}
	case catalog.CodeOf(err) == catalog.NotFound:
		return &SolveError{Outcome: catalog.OutcomeInfrastructure, Message: catalog.MessageOf(err), Err: err}
	}
	return &SolveError{Outcome: catalog.OutcomeInfrastructure, Message: "the build failed because of a server error; the server's log has the details", Err: err}
}
