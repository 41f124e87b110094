package rest

import (
	"slices"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

// retentionScope is the image that the path names, or the namespace where it names none, and what an audit line says of it.
func (c *call) retentionScope() (scope catalog.RetentionScope, on []any, err error) {
	scope.Namespace = c.namespace
	if c.r.PathValue("name") == "" {
		return scope, []any{"namespace", c.namespace}, nil
	}
	image, err := c.image()
	scope.ImageID = image.ID
	return scope, []any{"image", image.Ref}, err
}

func (c *call) retentionRules() ([]api.RetentionRule, error) {
	scope, _, err := c.retentionScope()
	if err != nil {
		return nil, err
	}
	rules, err := c.server.config.Retention.Rules(c.r.Context(), scope)
	return convertAll(rules, func(r catalog.RuleInForce) api.RetentionRule {
		return api.RetentionRule{Kind: string(r.Kind), KeepLast: r.Rule.KeepLast, KeepDays: r.Rule.KeepDays, Keep: r.Rule.Keep, From: r.From}
	}), err
}

func (c *call) setRetentionRule(in api.SetRetentionRule) ([]api.RetentionRule, error) {
	scope, on, err := c.retentionScope()
	if err != nil {
		return nil, err
	}
	r := catalog.ScopedRule{RetentionScope: scope, Kind: catalog.RetentionKind(c.r.PathValue("kind")), Rule: catalog.RetentionRule(in)}
	if err := c.server.config.Store.SetRetentionRule(c.r.Context(), r); err != nil {
		return nil, err
	}
	c.audit("retention rule set", append(on, "kind", r.Kind, "keeps", r.Rule)...)
	return c.retentionRules()
}

func (c *call) deleteRetentionRule() error {
	scope, on, err := c.retentionScope()
	if err != nil {
		return err
	}
	kind := catalog.RetentionKind(c.r.PathValue("kind"))
	if err := c.server.config.Store.DeleteRetentionRule(c.r.Context(), scope, kind); err != nil {
		return err
	}
	c.audit("retention rule deleted", append(on, "kind", kind)...)
	return c.deleted("Retention Rule Deleted Successfully")
}

func (c *call) previewRetention() ([]api.RetainedVersion, error) {
	instead, err := c.rulePreviewed()
	if err != nil {
		return nil, err
	}
	image, err := c.image()
	if err != nil {
		return nil, err
	}
	decisions, err := c.server.config.Retention.Preview(c.r.Context(), image, instead)
	return convertAll(decisions, func(d catalog.RetentionDecision) api.RetainedVersion {
		return api.RetainedVersion{
			Version: d.Name, State: string(d.State), Branch: d.Branch, EndedAt: api.Time{Time: d.EndedAt}, Size: d.Size, Keeps: d.Keeps, Reason: d.Reason,
		}
	}), err
}

// rulePreviewed is the rule that the query has, nil when it has none.
func (c *call) rulePreviewed() (*catalog.ScopedRule, error) {
	query := c.r.URL.Query()
	if !slices.ContainsFunc([]string{"kind", "keep_last", "keep_days", "keep"}, query.Has) {
		return nil, nil
	}
	rule, err := catalog.ParseRetentionRule(query.Get("kind"), query.Get("keep_last"), query.Get("keep_days"), query.Get("keep"))
	return &rule, err
}

func (c *call) deletedVersions() ([]api.DeletedVersion, error) {
	image, err := c.image()
	if err != nil {
		return nil, err
	}
	deleted, err := c.server.config.Store.ListTombstones(c.r.Context(), image.ID)
	return convertAll(deleted, func(t catalog.Tombstone) api.DeletedVersion {
		return api.DeletedVersion{Version: t.Version, Digest: t.Digest, Commit: t.Commit, Reason: t.Reason, DeletedAt: api.Time{Time: t.At}}
	}), err
}

// liftTombstone frees the name of a deleted version. Which image that is, the path says in full.
func (c *call) liftTombstone() error {
	ctx, ref := c.r.Context(), catalog.ImageRef{Namespace: c.r.PathValue("shared"), Name: c.r.PathValue("image")}
	image, err := c.server.config.Store.Image(ctx, ref)
	if err != nil {
		return err
	}
	if err := c.server.config.Store.LiftTombstone(ctx, image.ID, c.r.PathValue("version")); err != nil {
		return err
	}
	c.audit("name of a deleted version freed", "image", image.Ref, "version", c.r.PathValue("version"))
	return c.deleted("Name Freed Successfully")
}

func (c *call) formerImages() ([]api.TransferredImage, error) {
	names, err := c.server.config.Store.FormerNames(c.r.Context(), c.namespace)
	return convertAll(names, func(f catalog.FormerName) api.TransferredImage {
		return api.TransferredImage{From: f.Ref.String(), To: f.Image.String()}
	}), err
}

// freeImage frees the name of an image that was transferred.
func (c *call) freeImage() error {
	ref := catalog.ImageRef{Namespace: c.r.PathValue("shared"), Name: c.r.PathValue("image")}
	if err := c.server.config.Store.FreeFormerName(c.r.Context(), ref); err != nil {
		return err
	}
	c.audit("name of a transferred image freed", "image", ref)
	return c.deleted("Name Freed Successfully")
}
