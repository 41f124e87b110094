package web

import (
	"net/http"

	"github.com/fandoghpaas/fandogh/catalog"
)

// previewed bounds how many versions that would go a page lists.
const previewed = 200

// retentionData is what the page of an image's retention shows.
type retentionData struct {
	Image   catalog.Image
	Tabs    []tab
	Rules   []catalog.RuleInForce
	Manages bool
	Preview *preview
}

// preview is what would become of an image's versions, by the rules in force or with another one.
type preview struct {
	Instead *catalog.ScopedRule // nil: by those in force
	Kept    int
	Gone    int
	Bytes   int64 // of those that go; layers that others need stay
	Goes    []catalog.RetentionDecision
}

func (c *call) retentionPage() error {
	image, err := c.image()
	if err != nil {
		return err
	}
	data := retentionData{Image: image, Manages: c.manages()}
	data.Tabs = imageTabs(image.Ref, "retention", data.Manages)
	data.Rules, err = c.server.config.Retention.Rules(c.r.Context(), catalog.RetentionScope{Namespace: c.namespace, ImageID: image.ID})
	if err != nil {
		return err
	}
	return c.show(http.StatusOK, "retention", "retention", data)
}

// previewPage shows what would go: with the rule that the query has, else by the rules in force.
func (c *call) previewPage() error {
	image, err := c.image()
	if err != nil {
		return err
	}
	data := retentionData{Image: image, Manages: c.manages(), Preview: &preview{}}
	data.Tabs = imageTabs(image.Ref, "retention", data.Manages)
	if q := c.r.URL.Query(); q.Has("kind") {
		rule, err := catalog.ParseRetentionRule(q.Get("kind"), q.Get("keep_last"), q.Get("keep_days"), q.Get("keep"))
		if err != nil {
			return err
		}
		data.Preview.Instead = &rule
	}
	decisions, err := c.server.config.Retention.Preview(c.r.Context(), image, data.Preview.Instead)
	if err != nil {
		return err
	}
	data.Preview.count(decisions)
	return c.show(http.StatusOK, "preview", "retention.previewed", data)
}

func (p *preview) count(decisions []catalog.RetentionDecision) {
	for _, d := range decisions {
		if d.Keeps {
			p.Kept++
			continue
		}
		p.Gone++
		p.Bytes += d.Size
		if len(p.Goes) < previewed {
			p.Goes = append(p.Goes, d)
		}
	}
}

func (c *call) setRetention() error {
	image, err := c.image()
	if err != nil {
		return err
	}
	rule, err := catalog.ParseRetentionRule(c.form.Get("kind"), c.field("keep_last"), c.field("keep_days"), c.field("keep"))
	if err != nil {
		return err
	}
	rule.RetentionScope = catalog.RetentionScope{Namespace: c.namespace, ImageID: image.ID}
	if err := c.server.config.Store.SetRetentionRule(c.r.Context(), rule); err != nil {
		return err
	}
	c.audit("retention rule set", "image", image.Ref, "kind", rule.Kind, "keeps", rule.Rule)
	return c.done(settingsOf(image.Ref, "/retention"), "saved")
}

func (c *call) dropRetention() error {
	image, err := c.image()
	if err != nil {
		return err
	}
	kind := catalog.RetentionKind(c.form.Get("kind"))
	if err := c.server.config.Store.DeleteRetentionRule(c.r.Context(), catalog.RetentionScope{Namespace: c.namespace, ImageID: image.ID}, kind); err != nil {
		return err
	}
	c.audit("retention rule deleted", "image", image.Ref, "kind", kind)
	return c.done(settingsOf(image.Ref, "/retention"), "saved")
}
