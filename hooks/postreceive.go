package hooks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/language"
)

// queueTimeout bounds queueing, which goes on when the client is gone: the refs
// have moved.
const queueTimeout = 30 * time.Second

var errGone = errors.New("the client's connection is lost")

// pushHandler acts on one push.
type pushHandler struct {
	hooks *Hooks
	push  catalog.Push
	language.Speaker
	prefix bool // several tags: each line begins with its tag
	brief  bool // many tags: their builds' logs are not shown

	mu       sync.Mutex // held while writing to push.Progress and what follows
	result   catalog.PostReceiveResult
	notBuilt string // a tag whose build failed or could not be queued
}

// pushedTag is a tag of the push and a build it led to: one of several, where its commit is built as several images.
type pushedTag struct {
	catalog.RefUpdate
	tag    string
	name   string // of the version, with its image where that is another than the repository's
	branch string // whose commit it is; empty: the tag itself was pushed
	wanted ImageBuild
	build  catalog.QueuedBuild
}

// of returns the builds that a tag led to.
func (t pushedTag) of(builds []ImageBuild) []pushedTag {
	tags := make([]pushedTag, len(builds))
	for i, b := range builds {
		tags[i] = t
		tags[i].wanted, tags[i].name = b, b.Name
	}
	return tags
}

// PostReceive implements catalog.PostReceiver.
func (h *Hooks) PostReceive(ctx context.Context, push catalog.Push) catalog.PostReceiveResult {
	p := &pushHandler{hooks: h, push: push, Speaker: language.Speaker{Language: language.Language(push.Language), Texts: persian}, result: catalog.PostReceiveResult{Failed: map[string]error{}}}
	var tags []pushedTag
	for _, u := range push.Updates {
		if name, ok := u.Tag(); ok && u.New != "" {
			tags = append(tags, pushedTag{RefUpdate: u, tag: name, name: name})
		}
	}
	p.prefix = len(tags) > 1
	begun := context.WithoutCancel(ctx) // the refs have moved
	queued := p.branches(begun, len(tags) > 0)
	groups := p.toBuild(begun, tags)
	wanted := len(queued)
	for _, group := range groups {
		wanted += len(group)
	}
	p.prefix = wanted > 1
	queued = append(queued, p.queue(begun, groups)...)
	if push.Options.Detach {
		for _, t := range queued {
			p.sayTag(t, p.Text("%s queued as build %d; follow it with: %s", t.name, t.build.Number, h.sshCommand("logs -f", t.wanted.Image.Ref, t.wanted.Version)))
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

// queue queues the builds of every tag in one transaction. When one lost a race, the tags
// are queued one by one. It returns what has a build.
func (p *pushHandler) queue(ctx context.Context, groups [][]pushedTag) []pushedTag {
	groups = slices.DeleteFunc(groups, func(group []pushedTag) bool { return len(group) == 0 })
	if len(groups) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	tags := slices.Concat(groups...)
	err := p.submit(ctx, tags)
	if err == nil {
		return tags
	}
	code := catalog.CodeOf(err)
	refused := code == catalog.Conflict || code == catalog.Forbidden
	if refused && len(groups) > 1 {
		var queued []pushedTag
		for i := range groups {
			queued = append(queued, p.queue(ctx, groups[i:i+1])...)
		}
		return queued
	}
	if code == catalog.Conflict {
		if left := p.leaveBuilt(ctx, tags); len(left) < len(tags) {
			return p.queue(ctx, [][]pushedTag{left})
		}
	}
	for _, group := range groups {
		p.refuse(group[0], err)
	}
	if !refused {
		p.hooks.config.Logger.Error("failed to queue the builds of a push", "image", p.push.Image.Ref, "error", err)
	}
	return nil
}

// refuse has a tag put back of which nothing was queued.
func (p *pushHandler) refuse(t pushedTag, err error) {
	p.result.Failed[t.Name] = err
	p.result.Undo = append(p.result.Undo, t.Name)
	p.hooks.noteUnqueued(p.push.Image, t.tag, t.Commit)
	p.notBuilt = t.tag
}

// submit queues builds together and notes them.
func (p *pushHandler) submit(ctx context.Context, tags []pushedTag) error {
	builds := make([]catalog.NewBuild, len(tags))
	for i, t := range tags {
		builds[i] = t.wanted.NewBuild
	}
	queued, err := p.hooks.config.Submitter.Submit(ctx, builds)
	if err != nil {
		return err
	}
	for i := range tags {
		tags[i].build = queued[i]
		p.hooks.forgetUnqueued(p.push.Image, tags[i].tag)
	}
	return nil
}

// builds returns what a tag of the push asks for.
func (p *pushHandler) builds(ctx context.Context, t pushedTag, prospect catalog.Prospect) ([]pushedTag, error) {
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	options := p.push.Options.Build
	options.Branch = t.branch
	builds, err := p.hooks.builds(ctx, Tagged{
		Image: p.push.Image, Tag: t.tag, Commit: t.Commit, Trigger: catalog.TriggerPush,
		TagObject: t.Annotated(), Signature: t.Signature, UserID: p.push.Identity.User.ID, Options: options,
	}, prospect)
	return t.of(builds), err
}

// leaveBuilt returns what is not built yet of its tag's commit, and says so of the rest.
func (p *pushHandler) leaveBuilt(ctx context.Context, tags []pushedTag) (left []pushedTag) {
	for _, t := range tags {
		if built, err := p.hooks.isBuilt(ctx, t.wanted); err != nil || !built {
			left = append(left, t)
			continue
		}
		p.sayTag(t, p.Text("%s is already built: %s", t.name, p.reference(t)))
	}
	return left
}

func (p *pushHandler) reference(t pushedTag) string {
	return p.hooks.reference(t.wanted.Image.Ref, t.wanted.Version)
}

// message is what the pusher may see of an error.
func (p *pushHandler) message(err error) string {
	return p.Refusal(string(catalog.CodeOf(err)), catalog.MessageOf(err))
}

// say writes one line to the pusher.
func (p *pushHandler) say(format string, args ...any) {
	line := p.Text(format, args...)
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
// the report can't speak of its version. Of several images each is named.
func (p *pushHandler) fail(t pushedTag, err error, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ended {
		p.notBuilt = t.name
	}
	if t.branch != "" {
		fmt.Fprintln(p.push.Progress, p.Text("%s is stored, but %s: %s", t.branch, t.name, p.message(err)))
		return
	}
	if t.name != t.tag {
		err = catalog.Wrap(catalog.CodeOf(err), err, "%s: %s", t.name, catalog.MessageOf(err))
	}
	if before := p.result.Failed[t.Name]; before != nil {
		err = catalog.Wrap(catalog.CodeOf(before), err, "%s; %s", catalog.MessageOf(before), catalog.MessageOf(err))
	}
	p.result.Failed[t.Name] = err
}
