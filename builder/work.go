package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"
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
	facts   buildFacts
	// refusedTag says that the image takes signed tags alone, and not this one.
	refusedTag bool
	waits      string              // what the solve waits for, by its last event
	may        catalog.BuildLimits // what the build may use
	limits     catalog.BuildLimits // what it makes do with of that
	again      *again              // it is one of BuildAgain
}

// work makes one attempt at a claimed build and records how it went.
func (b *Builder) work(ctx context.Context, build catalog.Build) {
	b.tags.lock(keyOf(build))() // the queueing call has written to its log then
	a := &attempt{builder: b, build: build, log: b.openLog(build)}
	defer a.log.close()
	b.steps.Store(build.ID, &a.steps)
	defer b.steps.Delete(build.ID)
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
	a.announceTag()
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
	ctx, stopTimer, err := a.limit(ctx)
	if err != nil {
		return SolveResult{}, err
	}
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

// limit finds out how much the build may use, and ends ctx when its time is up.
func (a *attempt) limit(ctx context.Context) (context.Context, context.CancelFunc, error) {
	set, err := a.builder.store.NamespaceLimits(ctx, a.build.Image.Namespace)
	if err != nil {
		return nil, nil, err
	}
	settings := a.builder.settings.Load()
	a.may = set.Build.Or(settings.Limits).Within(settings.Ceiling).Within(catalog.BuildLimits{Timeout: settings.Timeout})
	a.limits = a.may
	ctx, stop := context.WithTimeoutCause(ctx, a.limits.Timeout, errTimeout)
	return ctx, stop, nil
}

func (a *attempt) solve(ctx context.Context) (result SolveResult, err error) {
	defer func() {
		if fault := recover(); fault != nil { // one build's fault must not end the others
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	if err := a.checkSigned(ctx); err != nil {
		return SolveResult{}, err
	}
	_, opening := a.builder.config.Tracer.Start(ctx, "open tree")
	tree, err := a.builder.config.Sources.Tree(ctx, a.build.Source, a.build.Commit)
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
	image := own.listed(a.build.Image.Name)
	options := a.build.Options.WithDefaults(image.options).WithDefaults(catalog.BuildOptions{Labels: a.builder.config.Labels})
	if err := options.Validate(); err != nil {
		return SolveResult{}, err
	}
	ctx, stop := a.makeDo(ctx, own.limits)
	defer stop()
	paths, sum := a.inputs(tree.Whole(), image.paths)
	a.openSubmodules(ctx, tree, options)
	as := catalog.CheckedOut{Tag: a.build.Tag, Branch: options.Branch}
	if options.KeepGit {
		if err := tree.KeepGit(ctx, as); err != nil {
			return SolveResult{}, err
		}
	}
	secrets, err := a.secrets(ctx)
	if err != nil {
		return SolveResult{}, err
	}
	a.facts = factsOf(options, secrets)
	a.facts.TagPrefix, a.facts.Paths = image.TagPrefix, paths
	tag := a.build.Version
	if a.again != nil {
		tag = a.again.tag
	}
	credential, revoke := a.builder.config.Credentials.Issue(catalog.BuildGrant{BuildID: a.build.ID, Image: a.build.Image, Version: tag})
	defer revoke()
	request := SolveRequest{
		Build: a.build, Options: options, Tree: tree, As: as,
		Destination: a.reference(a.builder.config.RegistryHost(), tag), Credential: credential, Secrets: secrets, Paths: paths, PathsSum: sum, Limits: a.limits,
	}
	switch {
	case a.again != nil:
		a.again.change(&request)
	case !options.NoCache:
		request.Earlier = a.earlier
	}
	result, err = a.builder.config.Solver.Solve(ctx, request, a.progress)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return result, err
}

// makeDo takes in with how much less than it may use a repository has its builds make do, and ends ctx when that is up.
func (a *attempt) makeDo(ctx context.Context, asked catalog.BuildLimits) (context.Context, context.CancelFunc) {
	a.limits = asked.Within(a.may)
	if asked.Timeout == 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, a.build.StartedAt.Add(a.limits.Timeout).Sub(a.builder.now()), errTimeout)
}

// earlier is SolveRequest.Earlier. Where not all files count it is the newest version or none, so that no file which does not count
// becomes older than it was.
func (a *attempt) earlier(ctx context.Context, recipe string) (catalog.Version, error) {
	same, err := a.builder.store.VersionByRecipe(ctx, a.build.ImageID, recipe)
	if err != nil || len(a.facts.Paths) == 0 {
		return same, err
	}
	newest, err := a.builder.store.ListVersions(ctx, a.build.ImageID, catalog.VersionFilter{States: []catalog.State{catalog.Built}, Page: catalog.Page{Limit: 1}})
	if err == nil && (len(newest) == 0 || newest[0].ID != same.ID) {
		err = catalog.Errorf(catalog.NotFound, "the newest version is of another recipe")
	}
	return same, err
}

// inputs returns which files count and their sum, as SolveRequest has them. Where patterns tell nothing of a commit, all files count.
func (a *attempt) inputs(files fs.FS, patterns []string) (paths []string, sum string) {
	if len(patterns) == 0 {
		return nil, ""
	}
	sum, err := sumOf(files, patterns)
	switch {
	case err != nil:
		a.log.sayf("paths is left out of account, for a file that it names can't be read: %s", catalog.MessageOf(err))
		return nil, ""
	case sum == "":
		a.log.sayf("paths is left out of account, for no file of this commit matches it: %s", strings.Join(patterns, ", "))
		return nil, ""
	}
	return patterns, sum
}

// secrets returns what the steps may be given.
func (a *attempt) secrets(ctx context.Context) (secrets []catalog.OpenSecret, err error) {
	if a.builder.config.Secrets != nil {
		secrets, err = a.builder.config.Secrets.ForBuild(ctx, a.build)
	}
	if err == nil && a.again != nil {
		err = a.again.checkSecrets(secrets)
	}
	return secrets, err
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
func (a *attempt) reference(host, tag string) string {
	return host + "/" + a.build.Image.Repository() + ":" + tag
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
		return &SolveError{Outcome: catalog.OutcomeInfrastructure, Message: fmt.Sprintf("the build could not start for %s: %s", humanTime(a.limits.Timeout), a.waits), Err: err}
	case errors.Is(err, errTimeout):
		return &SolveError{Outcome: catalog.OutcomeTimeout, Message: fmt.Sprintf("the build took longer than %s and was stopped", humanTime(a.limits.Timeout))}
	case errors.As(err, &solve):
		return solve
	case catalog.CodeOf(err) == catalog.Invalid:
		return &SolveError{Outcome: catalog.OutcomeUserError, Message: catalog.MessageOf(err)}
	case catalog.CodeOf(err) == catalog.NotFound:
		return &SolveError{Outcome: catalog.OutcomeInfrastructure, Message: catalog.MessageOf(err), Err: err}
	}
	return &SolveError{Outcome: catalog.OutcomeInfrastructure, Message: "the build failed because of a server error; the server's log has the details", Err: err}
}
