package dockerfile

import (
	"context"
	"maps"
	"slices"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"golang.org/x/sync/errgroup"
)

// deferred is a solve that the frontend asked for, and what it was given for the answer. It looks at nothing of an
// image, so that the methods are not there.
type deferred struct {
	gateway.Reference
	request  gateway.SolveRequest
	graph    *graph
	platform string // "" where there is only one
	solved   gateway.Reference

	cuts     []*cut
	narrowed *graph // asks for what is read of the build context without them
}

// deferredIn returns what a frontend's result is to be made by, in order; not ok where some of it was not put off.
func deferredIn(result *gateway.Result) (all []*deferred, ok bool) {
	refs := result.Refs
	if refs == nil {
		refs = map[string]gateway.Reference{"": result.Ref}
	}
	for _, platform := range slices.Sorted(maps.Keys(refs)) {
		d, ok := refs[platform].(*deferred)
		if !ok {
			return nil, false
		}
		own := *d // of two platforms, too, that a frontend gives one answer for
		own.platform = platform
		all = append(all, &own)
	}
	return all, true
}

// solveAsked solves what was put off of a frontend's result, and of its test's; nil: there is none.
func (c *frontendClient) solveAsked(ctx context.Context, asked, test *gateway.Result) (*gateway.Result, error) {
	images, ok := deferredIn(asked)
	var tests []*deferred
	if test != nil && ok {
		tests, ok = deferredIn(test)
	}
	if !ok { // a frontend that is an image made it
		return asked, c.evaluate(ctx, test)
	}
	if err := c.checkRuns(ctx, images); err != nil {
		return nil, err
	}
	if err := c.checkRuns(ctx, tests); err != nil {
		return nil, c.asTest(err, nil)
	}
	all := slices.Concat(images, tests)
	if c.test != "" {
		if err := share(all); err != nil {
			return nil, err
		}
	}
	if err := c.dateForCacheMounts(ctx, all); err != nil {
		return nil, err
	}
	if err := c.findCuts(ctx, images); err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, d := range images {
		group.Go(func() error {
			return guarded(func() (err error) {
				d.solved, err = c.solveImage(ctx, d)
				return err
			})
		})
	}
	for _, d := range tests {
		group.Go(func() error {
			return c.asTest(guarded(func() error { return c.solveTest(ctx, d) }), images)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, d := range images {
		if asked.Refs == nil {
			asked.SetRef(d.solved)
		} else {
			asked.AddRef(d.platform, d.solved)
		}
	}
	return asked, nil
}

// solveImage solves what makes an image, but for the layers that can be made without BuildKit.
func (c *frontendClient) solveImage(ctx context.Context, d *deferred) (gateway.Reference, error) {
	r := d.request
	r.Definition = d.graph.def
	solve := c.solveCut
	if len(d.cuts) == 0 {
		solve = func(ctx context.Context, r gateway.SolveRequest, _ *deferred) (*gateway.Result, error) {
			return c.Client.Solve(ctx, r)
		}
	}
	result, err := solve(ctx, r, d)
	if err != nil {
		return nil, err
	}
	return result.SingleRef()
}
