package retention

import (
	"context"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Rules implements catalog.RetentionControl.
func (s *Service) Rules(ctx context.Context, scope catalog.RetentionScope) ([]catalog.RuleInForce, error) {
	rules, err := s.config.Store.ListRetentionRules(ctx, scope)
	if err != nil {
		return nil, err
	}
	return catalog.RulesInForce(rules, s.settings.Load().Rules), nil
}

// Preview implements catalog.RetentionControl.
func (s *Service) Preview(ctx context.Context, image catalog.Image, instead *catalog.ScopedRule) ([]catalog.RetentionDecision, error) {
	rules, err := s.Rules(ctx, catalog.RetentionScope{Namespace: image.Ref.Namespace, ImageID: image.ID})
	if err != nil {
		return nil, err
	}
	for i := range rules {
		if instead != nil && rules[i].Kind == instead.Kind {
			rules[i] = catalog.RuleInForce{Kind: instead.Kind, Rule: instead.Rule, From: catalog.RuleOfImage}
		}
	}
	versions, err := s.config.Store.ListRetained(ctx, image.ID)
	if err != nil {
		return nil, err
	}
	if err := s.hold(ctx, image, versions); err != nil {
		return nil, err
	}
	// What costs a look at the image is asked of those alone that would go. It changes nothing about the others.
	now := s.config.Now()
	decisions := catalog.DecideRetention(versions, rules, s.settings.Load().Lifetimes.Failed, now)
	for i, d := range decisions {
		if !d.Keeps && d.State == catalog.Built {
			versions[i].Held = s.neededBy(ctx, image, d.Version, now)
		}
	}
	return catalog.DecideRetention(versions, rules, s.settings.Load().Lifetimes.Failed, now), nil
}

// latest is what clients ask for when they are told no version.
const latest = "latest"

// hold notes on versions what may keep them whatever the rules are, as far as that is known of all of them together.
func (s *Service) hold(ctx context.Context, image catalog.Image, versions []catalog.RetainedVersion) error {
	tips, err := s.config.Branches.BranchTips(ctx, image.Source)
	if err != nil {
		return err
	}
	moving, err := s.config.Images.MovingTags(ctx, image)
	if err != nil {
		return err
	}
	for i := range versions {
		v := &versions[i]
		switch tag, named := moving[v.Digest]; {
		case v.State != catalog.Built:
		case v.Unattested:
			v.Held = "it is not signed yet"
		case v.Name == latest:
			v.Held = "it is what is pulled without a version"
		case v.Branch != "" && tips[v.Branch] == v.Commit:
			v.Held = "branch " + v.Branch + " is at its commit"
		case named:
			v.Held = "tag " + tag + " names it"
		}
	}
	return nil
}

// neededBy says who needs a version's image, a clause for people that names nothing of others; empty: nobody. What can't be
// found out counts as needed.
func (s *Service) neededBy(ctx context.Context, image catalog.Image, v catalog.Version, now time.Time) string {
	manifests, err := s.config.Images.Manifests(v.Digest)
	if catalog.CodeOf(err) == catalog.NotFound {
		manifests, err = []string{v.Digest}, nil // it can't be pulled any more, but it may have been
	}
	var isBase bool
	if err == nil {
		isBase, err = s.config.Store.IsBase(ctx, manifests, v.ID)
	}
	if err != nil {
		s.config.Logger.Error("failed to find out whether a version is needed; it stays", "image", image.Ref, "version", v.Name, "error", err)
		return "it is not known whether it is needed"
	}
	if isBase {
		return "another version is built from it"
	}
	for _, d := range manifests {
		if s.config.Images.PulledSince(d, now.Add(-s.settings.Load().Recent)) {
			return "it was pulled lately"
		}
	}
	return ""
}
