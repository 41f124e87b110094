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

// reception is one push being acted on.
type reception struct {
	*Hooks
	push   catalog.Push
	prefix bool // several tags: each line begins with its tag

	mu     sync.Mutex // held while writing to push.Progress and result
	result catalog.PostReceiveResult
}

// pushedTag is a tag of the push and the build it led to.
type pushedTag struct {
	catalog.RefUpdate
	name  string
	build catalog.QueuedBuild
}

// PostReceive implements catalog.PostReceiver.
func (h *Hooks) PostReceive(ctx context.Context, push catalog.Push) catalog.PostReceiveResult {
	r := &reception{Hooks: h, push: push, result: catalog.PostReceiveResult{Failed: map[string]error{}}}
	var tags []pushedTag
	for _, u := range push.Updates {
		if name, ok := u.Tag(); ok && u.New != "" {
			tags = append(tags, pushedTag{RefUpdate: u, name: name})
		}
	}
	r.prefix = len(tags) > 1
	r.sayBranches(len(tags) > 0)
	queued := r.queue(context.WithoutCancel(ctx), tags)
	if push.Options.Detach {
		for _, t := range queued {
			r.sayTag(t, fmt.Sprintf("%s is queued as build %d; follow it with: %s", t.name, t.build.Number, h.sshCommand("logs -f", push.Image.Ref, t.name)))
		}
	} else {
		r.followAll(ctx, queued)
	}
	return r.result
}

func (r *reception) sayBranches(withTags bool) {
	for _, u := range r.push.Updates {
		branch, ok := u.Branch()
		switch {
		case !ok:
		case u.New == "":
			r.say(branch + " deleted")
		case withTags:
			r.say(branch + " stored")
		default:
			r.say(branch + " stored; push a tag to build a version")
		}
	}
}

// queue queues every tag in one transaction. When a tag lost a race, the others
// are queued one by one. It returns the tags that have a build.
func (r *reception) queue(ctx context.Context, tags []pushedTag) []pushedTag {
	if len(tags) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	err := r.submit(ctx, tags)
	if err == nil {
		return tags
	}
	if catalog.CodeOf(err) == catalog.Conflict && len(tags) > 1 {
		var queued []pushedTag
		for i := range tags {
			queued = append(queued, r.queue(ctx, tags[i:i+1])...)
		}
		return queued
	}
	for _, t := range tags {
		if r.builtAlready(ctx, t) {
			continue
		}
		r.result.Failed[t.Name] = err
		r.result.Undo = append(r.result.Undo, t.Name)
	}
	if code := catalog.CodeOf(err); code != catalog.Conflict {
		r.Logger.Error("queue the builds of a push", "image", r.push.Image.Ref, "error", err)
	}
	return nil
}

// submit queues tags together and notes their builds.
func (r *reception) submit(ctx context.Context, tags []pushedTag) error {
	builds := make([]catalog.NewBuild, len(tags))
	for i, t := range tags {
		builds[i] = catalog.NewBuild{
			ImageID: r.push.Image.ID, Version: t.name, Trigger: catalog.TriggerPush, Commit: t.Commit,
			UserID: r.push.Identity.User.ID, Options: r.push.Options.Build,
		}
	}
	queued, err := r.Submitter.Submit(ctx, builds)
	if err != nil {
		return err
	}
	for i := range tags {
		tags[i].build = queued[i]
	}
	return nil
}

// builtAlready tells whether the tag was only put back for a version that is
// built from its commit, and says so.
func (r *reception) builtAlready(ctx context.Context, t pushedTag) bool {
	v, err := r.Store.Version(ctx, r.push.Image.ID, t.name)
	if err != nil || v.State != catalog.Built || v.Commit != t.Commit || t.Old != "" {
		return false
	}
	r.sayTag(t, fmt.Sprintf("%s is built already: %s", t.name, r.reference(r.push.Image.Ref, t.name)))
	return true
}

// say writes one line to the pusher.
func (r *reception) say(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintln(r.push.Progress, line)
}

// sayTag writes lines about one tag to the pusher, together.
func (r *reception) sayTag(t pushedTag, lines ...string) {
	var text strings.Builder
	for _, line := range lines {
		if r.prefix {
			line = strings.TrimRight("["+t.name+"] "+line, " ")
		}
		text.WriteString(line)
		text.WriteByte('\n')
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprint(r.push.Progress, text.String())
}

func (r *reception) fail(t pushedTag, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Failed[t.Name] = err
}
