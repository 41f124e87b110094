package hooks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// queueTimeout bounds queueing, which goes on when the client is gone: the refs
// have moved.
const queueTimeout = 30 * time.Second

var errGone = errors.New("the client's connection is lost")

// pushHandler acts on one push.
type pushHandler struct {
	hooks  *Hooks
	push   catalog.Push
	prefix bool // several tags: each line begins with its tag
	brief  bool // many tags: their builds' logs are not shown

	mu       sync.Mutex // held while writing to push.Progress and what follows
	result   catalog.PostReceiveResult
	notBuilt string // a tag whose build failed or could not be queued
}

// pushedTag is a tag of the push and the build it led to.
type pushedTag struct {
	catalog.RefUpdate
	name   string // of the version
	branch string // whose commit it is; empty: the tag itself was pushed
	build  catalog.QueuedBuild
}

// PostReceive implements catalog.PostReceiver.
func (h *Hooks) PostReceive(ctx context.Context, push catalog.Push) catalog.PostReceiveResult {
	p := &pushHandler{hooks: h, push: push, result: catalog.PostReceiveResult{Failed: map[string]error{}}}
	var tags []pushedTag
	for _, u := range push.Updates {
		if name, ok := u.Tag(); ok && u.New != "" {
			tags = append(tags, pushedTag{RefUpdate: u, name: name})
		}
	}
	p.prefix = len(tags) > 1
	begun := context.WithoutCancel(ctx) // the refs have moved
	branches := p.branches(begun, len(tags) > 0)
	tags = p.toBuild(begun, tags)
	p.prefix = len(branches)+len(tags) > 1
	queued := append(branches, p.queue(begun, tags)...)
	if push.Options.Detach {
		for _, t := range queued {
			p.sayTag(t, fmt.Sprintf("%s queued as build %d; follow it with: %s", t.name, t.build.Number, h.sshCommand("logs -f", push.Image.Ref, t.name)))
		}
	} else {
		p.followAll(ctx, queued)
	}
	p.keepAtomic()
	return p.result
}

// keepAtomic has an atomic push put back what it changed, when one of its tags was not built. A version
// that was built never changes, and one that is still being built is on its way.
func (p *pushHandler) keepAtomic() {
	if !p.push.Atomic || p.notBuilt == "" {
		return
	}
	for _, u := range p.push.Updates {
		if _, isTag := u.Tag(); isTag && u.New != "" {
			continue
		}
		p.result.Failed[u.Name] = catalog.Errorf(catalog.Conflict, "restored: %s of this atomic push was not built", p.notBuilt)
		p.result.Undo = append(p.result.Undo, u.Name)
	}
}

// queue queues every tag in one transaction. When a tag lost a race, the others
// are queued one by one. It returns the tags that have a build.
func (p *pushHandler) queue(ctx context.Context, tags []pushedTag) []pushedTag {
	if len(tags) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	err := p.submit(ctx, tags)
	if err == nil {
		return tags
	}
	if catalog.CodeOf(err) == catalog.Conflict && len(tags) > 1 {
		var queued []pushedTag
		for i := range tags {
			queued = append(queued, p.queue(ctx, tags[i:i+1])...)
		}
		return queued
	}
	for _, t := range tags {
		if p.builtAlready(ctx, t) {
			continue
		}
		p.result.Failed[t.Name] = err
		p.result.Undo = append(p.result.Undo, t.Name)
		p.hooks.noteUnqueued(p.push.Image, t.name, t.Commit)
		p.notBuilt = t.name
	}
	if code := catalog.CodeOf(err); code != catalog.Conflict {
		p.hooks.config.Logger.Error("failed to queue the builds of a push", "image", p.push.Image.Ref, "error", err)
	}
	return nil
}

// submit queues tags together and notes their builds.
func (p *pushHandler) submit(ctx context.Context, tags []pushedTag) error {
	builds := make([]catalog.NewBuild, len(tags))
	for i, t := range tags {
		options := p.push.Options.Build
		options.Branch = t.branch
		builds[i] = catalog.NewBuild{
			ImageID: p.push.Image.ID, Version: t.name, Trigger: catalog.TriggerPush, Commit: t.Commit,
			UserID: p.push.Identity.User.ID, Options: options,
		}
	}
	queued, err := p.hooks.config.Submitter.Submit(ctx, builds)
	if err != nil {
		return err
	}
	for i := range tags {
		tags[i].build = queued[i]
		p.hooks.forgetUnqueued(p.push.Image, tags[i].name)
	}
	return nil
}

// builtAlready reports whether the tag was only put back for a version that is
// built from its commit, and says so.
func (p *pushHandler) builtAlready(ctx context.Context, t pushedTag) bool {
	v, err := p.hooks.config.Store.Version(ctx, p.push.Image.ID, t.name)
	if err != nil || v.State != catalog.Built || v.Commit != t.Commit || t.Old != "" {
		return false
	}
	p.sayTag(t, fmt.Sprintf("%s is already built: %s", t.name, p.hooks.reference(p.push.Image.Ref, t.name)))
	return true
}

// say writes one line to the pusher.
func (p *pushHandler) say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.push.Progress, line)
}

// sayTag writes lines about one tag to the pusher, together.
func (p *pushHandler) sayTag(t pushedTag, lines ...string) {
	var text strings.Builder
	for _, line := range lines {
		if p.prefix {
			line = strings.TrimRight("["+t.name+"] "+line, " ")
		}
		text.WriteString(line)
		text.WriteByte('\n')
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprint(p.push.Progress, text.String())
}

// fail notes what the report is to say of a tag, and whether its build ended. A branch is stored all the same, so that
// the report can't speak of its version.
func (p *pushHandler) fail(t pushedTag, err error, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ended {
		p.notBuilt = t.name
	}
	if t.branch == "" {
		p.result.Failed[t.Name] = err
		return
	}
	fmt.Fprintf(p.push.Progress, "%s is stored, but %s: %s\n", t.branch, t.name, catalog.MessageOf(err))
}
