package buildkit

import (
	"context"
	"errors"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/session/filesync"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkit/dockerfile"
	"github.com/fandoghpaas/fandogh/builder/buildkit/export"
	"github.com/fandoghpaas/fandogh/catalog"
)

// build is one request while it is being solved: what its parts, one for each BuildKit that takes part, share.
type build struct {
	*Solver
	ctx       context.Context // ends with the solve, and with the first error of ours
	fail      context.CancelCauseFunc
	request   builder.SolveRequest
	source    source
	wanted    []ocispecs.Platform // none: BuildKit's own
	parts     []*part
	platforms *dockerfile.Platforms
	bases     dockerfile.Bases
	files     *contextFS
	counts    func(name string) bool // as dockerfile.Build has it
	secrets   *buildSecrets
	view      *progress
	limits    limits
}

// begin prepares a request's files. end must be called when all that reads them is over.
func (s *Solver) begin(ctx context.Context, r builder.SolveRequest, src source, wanted []ocispecs.Platform, parts []*part, secrets *buildSecrets, view *progress) (b *build, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	book := s.times
	if r.Apart {
		book = newTimesBook("")
	}
	times, closeTimes, err := book.open(keyOf(r))
	if err != nil {
		s.log.Warn("failed to read the file times of an image; all its files count as new", "image", r.Build.Image, "error", err)
	}
	b = &build{
		Solver: s, ctx: ctx, fail: cancel, request: r, source: src, wanted: wanted, parts: parts, platforms: dockerfile.NewPlatforms(len(parts)),
		files:   &contextFS{ctx: ctx, fail: cancel, tree: r.Tree, root: src.contextDir, times: times.build()},
		secrets: secrets, view: view,
	}
	var endLimits func()
	b.limits, endLimits = s.limit(r.Limits)
	return b, func() {
		cancel(context.Canceled)
		endLimits()
		closeTimes()
	}
}

// solve has each BuildKit make its part, and puts the image together.
func (b *build) solve(ctx context.Context) (builder.SolveResult, error) {
	all := make([]madePart, len(b.parts))
	group, together := errgroup.WithContext(b.ctx)
	for i, p := range b.parts {
		group.Go(func() (err error) {
			all[i], err = b.solvePart(together, p)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return builder.SolveResult{}, err
	}
	if only := all[0]; only.earlier != nil {
		only.earlier.Recipe = only.recipe
		return *only.earlier, nil
	}
	made := make([]export.Part, len(all))
	for i := range all {
		made[i] = all[i].Part
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	ctx, span := trace.SpanFromContext(ctx).TracerProvider().Tracer("").Start(ctx, "push")
	defer span.End()
	result, err := export.Publish(ctx, createdAt(b.request), formatAll(b.wanted), made...)
	if err != nil {
		return builder.SolveResult{}, infrastructure(err, notTaken)
	}
	result.Recipe = all[0].recipe
	return result, nil
}

// madePart is what a BuildKit has made of an image.
type madePart struct {
	export.Part
	found
}

// found is what was found out about a part beside what BuildKit says in the end.
type found struct {
	recipe  string               // of the image; empty: it can't be known, or this is not all of the image
	earlier *builder.SolveResult // the image, when it is there already
	test    *dockerfile.TestError
}

// solvePart has a BuildKit make a part of the image, and says what is wrong if it can't. ctx ends with b's, and
// when another part has failed.
func (b *build) solvePart(ctx context.Context, p *part) (madePart, error) {
	if err := b.cfg.Disk.MakeRoom(ctx, p.Client); err != nil {
		return madePart{}, err
	}
	r, kills := b.request, b.cfg.Disk.Kills()
	out, err := b.exporter.Store(b.ctx, export.Image{Destination: r.Destination, Credential: r.Credential, Dated: datedAt(r), Labels: labels(r), Annotations: annotations(r), Anew: r.Apart})
	if err != nil {
		return madePart{}, infrastructure(err, "the registry can't be used")
	}
	response, found, err := b.run(ctx, p, out)
	if err != nil && !r.Apart && (ctx.Err() != nil || p.lost.Load()) {
		b.contexts.renew(keyOf(r))
	}
	if found.earlier != nil {
		return madePart{found: found}, nil
	}
	if err != nil {
		b.forgetLost(ctx, p.Client, err)
		return madePart{}, b.failure(err, p, out, found.test, kills)
	}
	return madePart{export.Part{Store: out, Root: response.ExporterResponse["containerimage.digest"]}, found}, nil
}

// failure says why BuildKit did not make a part.
func (b *build) failure(err error, p *part, out *export.Store, test *dockerfile.TestError, kills int64) *builder.SolveError {
	if p.lost.Load() {
		lost := infrastructure(err, "BuildKit stopped while it ran this build")
		lost.Retry = builder.RetryFree
		return lost
	}
	if storing := out.Failure(); storing != nil {
		return infrastructure(storing, notTaken)
	}
	b.log.Debug("solve failed", "image", b.request.Build.Image, "version", b.request.Build.Version, "error", err)
	if killed := diskKill(b.cfg.Disk, err, kills); killed != nil {
		return killed
	}
	failure := classify(err, b.view, circumstances{part: p, refuses: b.cfg.Refuses, limits: b.limits})
	if test != nil && failure.Outcome != catalog.OutcomeInfrastructure {
		failure = test.Name(failure)
	}
	return failure
}

// run solves, hands what happens to the view, and returns soon after ctx ends.
func (b *build) run(ctx context.Context, p *part, out *export.Store) (*client.SolveResponse, found, error) {
	type outcome struct {
		response *client.SolveResponse
		found    found
		err      error
	}
	statuses := make(chan *client.SolveStatus)
	done := make(chan outcome, 1)
	whole := b.files.whole(b.request.Tree)
	namespace := b.request.Build.Image.Namespace
	account := &registryAuth{hosts: b.registryHosts(), credential: b.request.Credential, accounts: b.cfg.Accounts, namespace: namespace}
	var aside found // until done
	build := b.interpretation(p, &aside, whole, out)
	interpret := func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		o := c.BuildOpts()
		account.mayLogIn.Store(o.LLBCaps.Supports(pb.CapSourcePolicySession) == nil)
		build.Runs = func(ctx context.Context, platform *pb.Platform) error { return p.runs(ctx, c, platform) }
		result, err := b.dockerfiles.Build(ctx, b.limitSteps(c, p.address, b.limits), build)
		if errors.As(err, &aside.test) {
			err = aside.test.Err
		}
		return result, err
	}
	go func() {
		options := b.solveOptions(p, filesync.StaticDirSource{"context": b.files, "dockerfile": whole}, out, append(b.secrets.attachables(), account))
		if b.cfg.Accounts != nil {
			options.SourcePolicyProvider = b.pulls.policy(namespace, b.fail)
		}
		response, err := p.Build(ctx, options, "", interpret, statuses)
		done <- outcome{response, aside, err}
	}()
	// Solve hangs when its statuses are not taken, and closes the channel at
	// its end. After a cancellation they are drained unseen.
	quiet, stop := b.view.quiet()
	defer stop()
	var cut <-chan time.Time
	cancelled := ctx.Done()
	for open := true; open; {
		select {
		case status, ok := <-statuses:
			if open = ok; ok && ctx.Err() == nil && b.view.update(p.number, status) > b.output {
				b.fail(userError("the steps of this build print more than the limit (%s); have them print less, or write to a file", units.BytesSize(float64(b.output))))
			}
		case <-quiet:
			b.view.release()
		case <-cancelled:
			cancelled = nil
			cut = time.After(cancelGrace)
		case <-cut:
			go drain(statuses)
			return nil, found{}, context.Cause(ctx)
		}
	}
	b.view.finish(p.number)
	end := <-done
	if cause := context.Cause(ctx); cause != nil {
		return nil, end.found, cause
	}
	return end.response, end.found, end.err
}

// interpretation is what the Dockerfile is interpreted with for a part; what is found out goes to aside.
func (b *build) interpretation(p *part, aside *found, whole dockerfile.Files, out *export.Store) dockerfile.Build {
	d := dockerfile.Build{
		Context: b.files, Whole: whole, Fail: b.fail, Store: out, Seen: b.seen, Secrets: b.secrets.mounts, Bases: &b.bases, Platforms: b.platforms,
		Test: b.request.Options.Test, Made: b.made(b.request), Counts: b.counts,
		Did: func(id, name string, begun time.Time, cached bool) { b.view.did(p.number, id, name, begun, cached) },
	}
	if len(b.parts) == 1 { // else none knows the recipe of all
		d.Exists = func(ctx context.Context, recipe string, metadata map[string][]byte) bool {
			aside.recipe, aside.earlier = recipe, b.earlier(ctx, out, recipe, metadata)
			return aside.earlier != nil
		}
	}
	return d
}

func drain(statuses <-chan *client.SolveStatus) {
	for range statuses {
	}
}
