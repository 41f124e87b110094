package dockerfile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"github.com/fandoghpaas/fandogh/builder"
)

// A build may have a test: a stage that must build, too. The frontend interprets the Dockerfile for it in a child of its
// own, and both are solved at once, in one job of BuildKit, which does once what they share. For that, what they share
// must be the same to the byte: the bases by one answer of a registry, and the build context with what either reads.

// TestError is why a build's test failed.
type TestError struct {
	Stage string
	Err   error
}

// Error implements error.
func (e *TestError) Error() string {
	return fmt.Sprintf("the test stage %s failed: %v", e.Stage, e.Err)
}

// Unwrap returns the reason.
func (e *TestError) Unwrap() error { return e.Err }

// Name has a failure that comes of the test say so.
func (e *TestError) Name(failure *builder.SolveError) *builder.SolveError {
	named := *failure
	named.Message = fmt.Sprintf("the test stage %s failed: %s", e.Stage, failure.Message)
	return &named
}

// testClient is the image's client for a frontend that interprets the Dockerfile for its test.
type testClient struct {
	*frontendClient
	stage string
}

// BuildOpts implements gateway.Client.
func (c *testClient) BuildOpts() gateway.BuildOpts {
	o := c.frontendClient.BuildOpts()
	o.Opts = maps.Clone(o.Opts)
	o.Opts["target"] = c.stage
	return o
}

// ResolveSourceMetadata implements gateway.Client. What only a test is made of is none of the image's bases.
func (c *testClient) ResolveSourceMetadata(ctx context.Context, op *pb.SourceOp, opt sourceresolver.Opt) (*sourceresolver.MetaResponse, error) {
	return c.resolve(ctx, op, opt)
}

// resolve asks once for each source, so that image and test have the same.
func (c *frontendClient) resolve(ctx context.Context, op *pb.SourceOp, opt sourceresolver.Opt) (*sourceresolver.MetaResponse, error) {
	key, err := json.Marshal(struct {
		Source *pb.SourceOp
		Opt    sourceresolver.Opt
	}{op, opt})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	if c.resolved == nil {
		c.resolved = map[string]func() (*sourceresolver.MetaResponse, error){}
	}
	ask, ok := c.resolved[string(key)]
	if !ok {
		ask = sync.OnceValues(func() (*sourceresolver.MetaResponse, error) { return c.Client.ResolveSourceMetadata(ctx, op, opt) })
		c.resolved[string(key)] = ask
	}
	c.mu.Unlock()
	return ask()
}

// Warn implements gateway.Client. What the Dockerfile has for the image and for its test is told once.
func (c *frontendClient) Warn(ctx context.Context, d digest.Digest, text string, opt gateway.WarnOpts) error {
	key := fmt.Sprint(text, opt.Range)
	c.mu.Lock()
	if c.warned == nil {
		c.warned = map[string]bool{}
	}
	is := c.warned[key]
	c.warned[key] = true
	c.mu.Unlock()
	if is {
		return nil
	}
	return c.Client.Warn(ctx, d, text, opt)
}

// interpretWithTest interprets the Dockerfile for the image, and for the test where a stage is named. What is wrong for both
// is the image's.
func (i *Interpreter) interpretWithTest(ctx context.Context, c *frontendClient, stage string) (asked, test *gateway.Result, err error) {
	if stage == "" {
		asked, err = i.interpret(ctx, c)
		return asked, nil, err
	}
	c.test = stage
	var both sync.WaitGroup
	var testErr error
	both.Go(func() {
		testErr = guarded(func() (err error) {
			test, err = i.interpret(ctx, &testClient{c, stage})
			return err
		})
	})
	asked, err = i.interpret(ctx, c)
	both.Wait()
	if err == nil && testErr != nil {
		err = interpretedFor(stage, testErr)
	}
	return asked, test, err
}

func interpretedFor(stage string, err error) error {
	if strings.Contains(err.Error(), fmt.Sprintf("target stage %q could not be found", stage)) {
		return userError("the Dockerfile has no stage %q to test; name one of its stages as test in .fandogh/config.yml or with -o test=STAGE", stage)
	}
	return &TestError{stage, err}
}

// guarded turns a panic into an error: one build's fault must not end the daemon.
func guarded(do func() error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = panicked(fault)
		}
	}()
	return do()
}

// solveTest solves what a test consists of, for nothing but that it can be.
func (c *frontendClient) solveTest(ctx context.Context, d *deferred) error {
	r := d.request
	r.Definition, r.Evaluate = d.graph.def, true
	_, err := c.Client.Solve(ctx, r)
	return err
}

// evaluate solves a test that a frontend made which is an image.
func (c *frontendClient) evaluate(ctx context.Context, test *gateway.Result) error {
	if test == nil {
		return nil
	}
	return c.asTest(test.EachRef(func(ref gateway.Reference) error { return ref.Evaluate(ctx) }), nil)
}

// asTest says of an error that it is the test's, unless the step that failed is the image's, too.
func (c *frontendClient) asTest(err error, images []*deferred) error {
	if err == nil {
		return nil
	}
	var vertex *errdefs.VertexError
	if errors.As(err, &vertex) && slices.ContainsFunc(images, func(d *deferred) bool { return d.graph.ops[vertex.Digest] != nil }) {
		return err
	}
	return &TestError{c.test, err}
}

// share gives all the same build context: with all that one of them follows.
func share(all []*deferred) error {
	followed, isWhole := map[string]bool{}, false
	for _, d := range all {
		for _, id := range d.graph.contexts() {
			var paths []string
			text := d.graph.ops[id].GetSource().Attrs[pb.AttrFollowPaths]
			if text == "" || json.Unmarshal([]byte(text), &paths) != nil {
				isWhole = true
			}
			for _, name := range paths {
				followed[name] = true
			}
		}
	}
	paths := slices.Sorted(maps.Keys(followed))
	if isWhole {
		paths = nil
	}
	for _, d := range all {
		var err error
		if d.graph, err = d.graph.following(paths); err != nil {
			return err
		}
	}
	return nil
}
