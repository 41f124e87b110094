package hooks

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/fandoghpaas/fandogh/catalog"
)

// maxLogs is how many builds' logs a pusher can follow by eye; of more there is one line each.
const maxLogs = 4

// followAll shows the logs of all builds, interleaved as they come, until they
// ended, the client is gone or the server shuts down.
func (p *pushHandler) followAll(ctx context.Context, tags []pushedTag) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-p.push.Gone:
			cancel(errGone)
		case <-ctx.Done():
		}
	}()
	p.brief = len(tags) > maxLogs
	var followers sync.WaitGroup
	for _, t := range tags {
		followers.Go(func() { p.follow(ctx, t) })
	}
	followers.Wait()
}

// follow shows one build's log and notes how it ended.
func (p *pushHandler) follow(ctx context.Context, t pushedTag) {
	if t.build.Attached && !p.brief {
		p.sayTag(t, p.Text("%s is already being built from this commit; its log follows:", t.name))
	}
	build, err := p.hooks.config.Logs.FollowLog(ctx, t.build.ID, 0, func(lines []catalog.LogLine) error {
		if p.brief {
			return nil
		}
		if err := p.stillAllowed(ctx); err != nil {
			return err
		}
		texts := make([]string, len(lines))
		for i, line := range lines {
			texts[i] = line.Text
		}
		p.sayTag(t, texts...)
		return nil
	})
	switch {
	case err == nil && build.Outcome == catalog.OutcomeBuilt:
		if p.brief {
			line := p.Text("built: %s", p.reference(t))
			if build.Message != "" {
				line += " (" + build.Message + ")"
			}
			p.sayTag(t, line)
		}
	case err == nil:
		p.fail(t, outcomeError(build), true)
	case errors.Is(context.Cause(ctx), errGone):
		p.leave(ctx, t)
	case ctx.Err() != nil || catalog.CodeOf(err) == catalog.Unavailable:
		command := p.hooks.sshCommand("logs -f", t.wanted.Image.Ref, t.wanted.Version)
		p.sayTag(t, p.Text("The server is shutting down. %s stays queued and will be built after the restart; follow it then with: %s", t.name, command))
		p.fail(t, catalog.Errorf(catalog.Unavailable, "server shutting down; %s stays queued, push again to follow it", t.name), false)
	default:
		if catalog.CodeOf(err) == catalog.Internal {
			p.hooks.config.Logger.Error("failed to follow a build's log", "build", t.build.ID, "error", err)
		}
		p.fail(t, catalog.Wrap(catalog.CodeOf(err), err, "the build continues, but its log can't be shown: %s", catalog.MessageOf(err)), false)
	}
}

// stillAllowed reports whether the pusher may see more.
func (p *pushHandler) stillAllowed(ctx context.Context) error {
	if p.push.StillAllowed == nil {
		return nil
	}
	return p.push.StillAllowed(ctx)
}

// leave does what a lost connection asks for. A build that another push
// started is never cancelled by that.
func (p *pushHandler) leave(ctx context.Context, t pushedTag) {
	if !p.push.Options.CancelOnDisconnect || t.build.Attached {
		return
	}
	err := p.hooks.config.Control.Cancel(context.WithoutCancel(ctx), t.build.ID)
	if err != nil && catalog.CodeOf(err) != catalog.Conflict {
		p.hooks.config.Logger.Error("failed to cancel the build of a lost connection", "build", t.build.ID, "error", err)
	}
}

// outcomeCodes classifies outcomes for the report and the exit status.
var outcomeCodes = map[catalog.Outcome]catalog.Code{
	catalog.OutcomeUserError:      catalog.Invalid,
	catalog.OutcomeTimeout:        catalog.Invalid,
	catalog.OutcomeOutOfMemory:    catalog.Invalid,
	catalog.OutcomeProcessLimit:   catalog.Invalid,
	catalog.OutcomeDiskLimit:      catalog.Invalid,
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
