package hooks

import (
	"context"

	"github.com/fandoghpaas/fandogh/catalog"
)

// toBuild says of each tag that is stored as history why it is not built, and returns the others. A tag is history when
// the push says so, or when it came with others and there is nothing that could be built. It is remembered, so that
// no restart takes it for one whose build was lost, and it stays: clients do not push it again.
func (p *pushHandler) toBuild(ctx context.Context, tags []pushedTag) (rest []pushedTag) {
	marks := map[string]bool{}
	for _, u := range p.push.Updates {
		if name, ok := u.Tag(); ok && u.New == "" {
			marks[name] = false
		}
	}
	for _, t := range tags {
		why := p.historyNote(ctx, t)
		if why == "" {
			rest = append(rest, t)
			continue
		}
		if why != knownVersion {
			marks[t.name] = true
		}
		p.sayTag(t, t.name+" stored"+why)
	}
	if len(marks) == 0 {
		return rest
	}
	if err := p.hooks.config.Sources.Store(ctx, p.push.Image.Ref, marks); err != nil && catalog.CodeOf(err) != catalog.NotFound {
		p.hooks.config.Logger.Error("failed to mark tags as history; the next start builds them", "image", p.push.Image.Ref, "error", err)
	}
	return rest
}

// knownVersion is said of a tag that is no history, as there is a version of it.
const knownVersion = "; there is a version of this name, of which nothing is built again"

// historyNote says why a tag is not built, to follow on "stored"; empty when it is.
func (p *pushHandler) historyNote(ctx context.Context, t pushedTag) string {
	many := p.push.ManyTags && p.push.Options.Build.IsZero()
	if !p.push.Options.NoBuild && !many {
		return ""
	}
	v, err := p.hooks.config.Store.Version(ctx, p.push.Image.ID, t.name)
	known := err == nil && (v.State == catalog.Built || !v.State.Ended())
	switch {
	case p.push.Options.NoBuild && known:
		return knownVersion
	case p.push.Options.NoBuild:
		return "; nothing is built, as asked"
	case known:
		return ""
	}
	prospect, err := p.hooks.prospect(ctx, p.push.Image.Ref, t.Commit, p.push.Options.Build)
	if err != nil || prospect.Missing == "" {
		return ""
	}
	return ", not built: " + prospect.Missing
}
