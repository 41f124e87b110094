package hooks

import (
	"context"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

// toBuild says of each tag that is stored as history why it is not built, and returns what the others are built as, by tag. A
// tag is history when the push says so, when it came with others and there is nothing that could be built, or when its commit lists
// images and it is of none of them. It is remembered, so that
// no restart takes it for one whose build was lost, and it stays: clients do not push it again.
func (p *pushHandler) toBuild(ctx context.Context, tags []pushedTag) (groups [][]pushedTag) {
	marks := map[string]bool{}
	for _, u := range p.push.Updates {
		if name, ok := u.Tag(); ok && u.New == "" {
			marks[name] = false
		}
	}
	for _, t := range tags {
		builds, why, err := p.tagBuilds(ctx, t)
		if err != nil {
			p.refuse(t, err)
		}
		if why == "" {
			groups = append(groups, builds)
			continue
		}
		if why != p.Text(knownVersion) {
			marks[t.tag] = true
		}
		p.sayTag(t, p.Text("%s stored%s", t.name, why))
	}
	if len(marks) == 0 {
		return groups
	}
	if err := p.hooks.config.Sources.Store(ctx, p.push.Image.Ref, marks); err != nil && catalog.CodeOf(err) != catalog.NotFound {
		p.hooks.config.Logger.Error("failed to mark tags as history; the next start builds them", "image", p.push.Image.Ref, "error", err)
	}
	return groups
}

// knownVersion is said of a tag that is no history, as there is a version of it.
const knownVersion = "; there is a version of this name, of which nothing is built again"

// tagBuilds returns what is still to be built of a tag, or why nothing is, to follow on "stored".
func (p *pushHandler) tagBuilds(ctx context.Context, t pushedTag) (builds []pushedTag, why string, err error) {
	var known bool
	many := p.push.ManyTags && p.push.Options.Build.IsZero()
	if p.push.Options.NoBuild || many {
		versions, err := p.hooks.config.Store.TagVersions(ctx, p.push.Image.ID, t.tag)
		known = err == nil && Live(versions, "")
	}
	switch {
	case p.push.Options.NoBuild && known:
		return nil, p.Text(knownVersion), nil
	case p.push.Options.NoBuild:
		return nil, p.Text("; nothing is built, as asked"), nil
	}
	prospect, err := p.hooks.prospect(ctx, p.push.Image.Ref, t.Commit, p.push.Options.Build)
	if err == nil && many && !known && prospect.Missing != "" {
		return nil, p.Text(", not built: %s", prospect.Missing), nil
	}
	if err != nil && catalog.CodeOf(err) != catalog.Invalid {
		return nil, "", err
	}
	if builds, err = p.builds(ctx, t, prospect); err != nil {
		return nil, "", err
	}
	if len(builds) == 0 {
		return nil, p.Text(", not built: it names none of the images that its commit lists (%s)", Listed(prospect.Images)), nil
	}
	builds = p.leaveBuilt(ctx, builds)
	if p.push.Options.BuildBranches {
		return builds, "", nil
	}
	return p.leaveDeleted(ctx, builds, many)
}

// leaveDeleted returns what is to be built of a tag though it may have been deleted, and says so of the rest; when nothing is left,
// why. A client that has the tag sends it with each push of all tags, so that what retention removed would always come again; a
// tag that a user deleted is built when it comes alone.
func (p *pushHandler) leaveDeleted(ctx context.Context, tags []pushedTag, many bool) (left []pushedTag, why string, err error) {
	var gone []string
	for _, t := range tags {
		deleted, err := p.hooks.deleted(ctx, t.wanted.ImageID, t.wanted.Version)
		switch {
		case err != nil:
			return nil, "", err
		case deleted == nil || deleted.Reason == "" && !many:
			left = append(left, t)
		default:
			gone = append(gone, deleted.Sentence())
		}
	}
	if len(gone) == 0 {
		return left, "", nil
	}
	why = p.Text(", not built: %s; to build it again, delete this tag with another push, and push it with -o build", strings.Join(gone, "; "))
	if len(left) == 0 {
		return nil, why, nil
	}
	p.sayTag(left[0], left[0].tag+why)
	return left, "", nil
}
