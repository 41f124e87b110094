package hooks

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/fandoghpaas/fandogh/catalog"
)

// followAll shows the logs of all builds, interleaved as they come, until they
// ended, the client is gone or the server shuts down.
func (r *reception) followAll(ctx context.Context, tags []pushedTag) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-r.push.Gone:
			cancel(errGone)
		case <-ctx.Done():
		}
	}()
	var followers sync.WaitGroup
	for _, t := range tags {
		followers.Go(func() { r.follow(ctx, t) })
	}
	followers.Wait()
}

// follow shows one build's log and notes how it ended.
func (r *reception) follow(ctx context.Context, t pushedTag) {
	if t.build.Attached {
		r.sayTag(t, t.name+" is being built from this commit already; this is its log:")
	}
	build, err := r.Logs.FollowLog(ctx, t.build.ID, 0, func(lines []catalog.LogLine) error {
		texts := make([]string, len(lines))
		for i, line := range lines {
			texts[i] = line.Text
		}
		r.sayTag(t, texts...)
		return nil
	})
	switch {
	case err == nil && build.Outcome == catalog.OutcomeBuilt:
	case err == nil:
		r.fail(t, outcomeError(build))
	case errors.Is(context.Cause(ctx), errGone):
		r.leave(ctx, t)
	case ctx.Err() != nil || catalog.CodeOf(err) == catalog.Unavailable:
		command := r.sshCommand("logs -f", r.push.Image.Ref, t.name)
		r.sayTag(t, "The server is shutting down. "+t.name+" stays queued and is built after the restart; then look with: "+command)
		r.fail(t, catalog.Errorf(catalog.Unavailable, "server shutting down; %s stays queued, push again to follow it", t.name))
	default:
		r.Logger.Error("follow a build's log", "build", t.build.ID, "error", err)
		r.fail(t, catalog.Wrap(catalog.CodeOf(err), err, "the build goes on, but its log can't be shown: %s", catalog.MessageOf(err)))
	}
}

// leave does what a lost connection asks for. A build that somebody else
// started is never cancelled by that.
func (r *reception) leave(ctx context.Context, t pushedTag) {
	if !r.push.Options.CancelOnDisconnect || t.build.Attached {
		return
	}
	err := r.Control.Cancel(context.WithoutCancel(ctx), t.build.ID)
	if err != nil && catalog.CodeOf(err) != catalog.Conflict {
		r.Logger.Error("cancel the build of a lost connection", "build", t.build.ID, "error", err)
	}
}

// outcomeCodes classifies outcomes for the report and the exit status.
var outcomeCodes = map[catalog.Outcome]catalog.Code{
	catalog.OutcomeUserError:      catalog.Invalid,
	catalog.OutcomeTimeout:        catalog.Invalid,
	catalog.OutcomeOutOfMemory:    catalog.Invalid,
	catalog.OutcomeCancelled:      catalog.Conflict,
	catalog.OutcomeInfrastructure: catalog.Unavailable,
}

// outcomeError is the report's short word on a build that failed.
func outcomeError(build catalog.Build) error {
	code, ok := outcomeCodes[build.Outcome]
	if !ok {
		code = catalog.Internal
	}
	why := strings.ReplaceAll(string(build.Outcome), "_", " ")
	if build.Message != "" {
		why += ": " + build.Message
	}
	return catalog.Errorf(code, "not built, %s", why)
}
