package hooks

import (
	"context"
	"fmt"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Prospector tells what commits say of their builds; the builder does.
type Prospector interface {
	// Prospect tells what would be built of a commit with the options of a push. Errors: NotFound, Invalid (its
	// configuration).
	Prospect(ctx context.Context, ref catalog.ImageRef, commit string, options catalog.BuildOptions) (catalog.Prospect, error)
}

// branches says what becomes of each pushed branch, and queues the builds of those that are built.
func (p *pushHandler) branches(ctx context.Context, withTags bool) (queued []pushedTag) {
	for _, u := range p.push.Updates {
		branch, ok := u.Branch()
		switch {
		case !ok:
		case u.New == "":
			p.say(branch + " deleted")
		default:
			t := pushedTag{RefUpdate: u, name: catalog.BranchVersion(branch, u.Commit), branch: branch}
			note := p.branchNote(ctx, t)
			if note == "" && p.queueBranch(ctx, &t) {
				queued = append(queued, t)
			} else if note == notAsked && withTags {
				p.say(branch + " stored")
			} else if note != "" {
				p.say(branch + " stored" + note)
			}
		}
	}
	return queued
}

// notAsked is why most branches are not built.
const notAsked = "; push a tag to build a version"

// branchNote says why a branch is not built, to follow on "stored"; empty when it is.
func (p *pushHandler) branchNote(ctx context.Context, t pushedTag) string {
	switch {
	case p.push.Options.NoBuild:
		return "; nothing is built, as asked"
	case p.push.Options.BuildBranches:
		return ""
	}
	prospect, err := p.hooks.prospect(ctx, p.push.Image.Ref, t.Commit, p.push.Options.Build)
	switch {
	case err != nil:
		return ", not built: " + catalog.MessageOf(err)
	case !catalog.MatchPatterns(prospect.Branches, t.branch):
		return notAsked
	case prospect.Skips:
		return ", not built: its commit's message asks to skip it"
	}
	return ""
}

func (h *Hooks) prospect(ctx context.Context, ref catalog.ImageRef, commit string, options catalog.BuildOptions) (catalog.Prospect, error) {
	if h.config.Prospects == nil {
		return catalog.Prospect{}, nil
	}
	prospect, err := h.config.Prospects.Prospect(ctx, ref, commit, options)
	if err != nil && catalog.CodeOf(err) != catalog.Invalid {
		h.config.Logger.Error("failed to look at a pushed commit", "image", ref, "commit", commit, "error", err)
	}
	return prospect, err
}

// queueBranch makes a version of a branch's commit, and its build, and gives up the one that waits of the commit before. It
// reports whether there is a build; else it has said why.
func (p *pushHandler) queueBranch(ctx context.Context, t *pushedTag) bool {
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	err := p.setBranchTag(ctx, *t)
	if err == nil {
		tags := []pushedTag{*t}
		if err = p.submit(ctx, tags); err == nil {
			*t = tags[0]
		} else {
			p.hooks.noteUnqueued(p.push.Image, t.name, t.Commit)
		}
	}
	asTag := *t
	asTag.Old = ""
	if err != nil && p.builtAlready(ctx, asTag) {
		return false
	}
	if err != nil {
		p.fail(*t, err, true)
		return false
	}
	p.say(fmt.Sprintf("%s stored; building %s", t.branch, t.name))
	if t.Old == "" {
		return true
	}
	older := catalog.BranchVersion(t.branch, t.Old)
	if older == t.name {
		return true
	}
	if err := p.hooks.Supersede(ctx, p.push.Image, older, catalog.TriggerPush); err != nil {
		p.hooks.config.Logger.Error("failed to cancel the waiting build of a branch's older commit", "image", p.push.Image.Ref, "version", older, "error", err)
	}
	return true
}

// setBranchTag makes the tag that a branch's version has.
func (p *pushHandler) setBranchTag(ctx context.Context, t pushedTag) error {
	update := catalog.RefUpdate{Name: "refs/tags/" + t.name, New: t.Commit, Commit: t.Commit}
	p.hooks.markArriving(p.push.Image.Ref, t.name)
	if err := p.hooks.check(ctx, p.push.Image, update, false); err != nil {
		return err
	}
	return p.hooks.config.Sources.SetTag(ctx, p.push.Image.Ref, t.name, t.Commit)
}

// Supersede gives up a version's build that waits and was asked for by trigger: a newer commit of its branch is built.
func (h *Hooks) Supersede(ctx context.Context, image catalog.Image, version string, trigger catalog.Trigger) error {
	older, err := h.config.Store.Version(ctx, image.ID, version)
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil
	}
	if err != nil || older.State != catalog.Pending || older.Trigger != trigger {
		return err
	}
	build, err := catalog.NewestBuild(ctx, h.config.Store, older)
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = h.config.Submitter.CancelWaiting(ctx, build.ID)
	return err
}
