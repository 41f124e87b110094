package hooks

import (
	"context"
	"errors"
	"strings"

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
			p.say("%s deleted", branch)
		default:
			version := catalog.BranchVersion(branch, u.Commit)
			t := pushedTag{RefUpdate: u, tag: version, name: version, branch: branch}
			prospect, note := p.branchNote(ctx, t)
			switch {
			case note == "":
				queued = append(queued, p.queueBranch(ctx, t, prospect)...)
			case note == p.Text(notAsked) && withTags:
				p.say("%s stored", branch)
			default:
				p.say("%s stored%s", branch, note)
			}
		}
	}
	return queued
}

// notAsked is why most branches are not built.
const notAsked = "; push a tag to build a version"

// branchNote returns what a branch's commit says of its builds and why it is not built, to follow on "stored"; empty when it is.
func (p *pushHandler) branchNote(ctx context.Context, t pushedTag) (catalog.Prospect, string) {
	if p.push.Options.NoBuild {
		return catalog.Prospect{}, p.Text("; nothing is built, as asked")
	}
	prospect, err := p.hooks.prospect(ctx, p.push.Image.Ref, t.Commit, p.push.Options.Build)
	switch {
	case p.push.Options.BuildBranches && catalog.CodeOf(err) != catalog.Internal:
		return prospect, "" // the build says what is wrong
	case err != nil:
		return prospect, p.Text(", not built: %s", p.message(err))
	case !catalog.MatchPatterns(prospect.Branches, t.branch):
		return prospect, p.Text(notAsked)
	case prospect.Skips:
		return prospect, p.Text(", not built: its commit's message asks to skip it")
	}
	return prospect, ""
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

// queueBranch makes versions of a branch's commit, and their builds, and gives up those that wait of the commit before. Where
// it returns none, it has said why.
func (p *pushHandler) queueBranch(ctx context.Context, t pushedTag, prospect catalog.Prospect) []pushedTag {
	ctx, cancel := context.WithTimeout(ctx, queueTimeout)
	defer cancel()
	tags, err := p.builds(ctx, t, prospect)
	if err != nil {
		p.fail(t, err, true)
		return nil
	}
	if tags = p.leaveBuilt(ctx, tags); len(tags) == 0 {
		return nil
	}
	if err = p.setBranchTag(ctx, tags); err == nil {
		if err = p.submit(ctx, tags); err != nil {
			p.hooks.noteUnqueued(p.push.Image, t.tag, t.Commit)
		}
	}
	if err != nil {
		p.fail(t, err, true)
		return nil
	}
	names := make([]string, len(tags))
	for i := range tags {
		names[i] = tags[i].name
	}
	p.say("%s stored; building %s", t.branch, strings.Join(names, ", "))
	older := catalog.BranchVersion(t.branch, t.Old)
	if t.Old == "" || older == t.tag {
		return tags
	}
	if err := p.hooks.Supersede(ctx, p.push.Image, older, catalog.TriggerPush); err != nil {
		p.hooks.config.Logger.Error("failed to cancel the waiting builds of a branch's older commit", "image", p.push.Image.Ref, "version", older, "error", err)
	}
	return tags
}

// setBranchTag makes the tag that the versions of a branch have.
func (p *pushHandler) setBranchTag(ctx context.Context, tags []pushedTag) error {
	for _, t := range tags {
		if t.wanted.Image.NeedsSignedTags() {
			return t.wanted.CheckSignedTag(t.wanted.Image.Ref)
		}
	}
	t := tags[0]
	update := catalog.RefUpdate{Name: "refs/tags/" + t.tag, New: t.Commit, Commit: t.Commit}
	p.hooks.markArriving(p.push.Image.Ref, t.tag)
	if err := p.hooks.check(ctx, p.push.Image, update, false); err != nil {
		return err
	}
	return p.hooks.config.Sources.SetTag(ctx, p.push.Image.Ref, t.tag, t.Commit)
}

// Supersede gives up the builds of a tag that wait and were asked for by trigger: a newer commit of its branch is built.
func (h *Hooks) Supersede(ctx context.Context, image catalog.Image, tag string, trigger catalog.Trigger) error {
	older, err := h.config.Store.TagVersions(ctx, image.ID, tag)
	errs := []error{err}
	for _, v := range older {
		if v.State == catalog.Pending && v.Trigger == trigger {
			errs = append(errs, h.supersede(ctx, v))
		}
	}
	return errors.Join(errs...)
}

func (h *Hooks) supersede(ctx context.Context, v catalog.Version) error {
	build, err := catalog.NewestBuild(ctx, h.config.Store, v)
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = h.config.Submitter.CancelWaiting(ctx, build.ID)
	return err
}
