package web

import (
	"net/http"

	"github.com/fandoghpaas/fandogh/catalog"
)

// previewed bounds how many versions that would go a page lists.
const previewed = 200

// retentionData is what the page of the retention of an image or a namespace shows.
type retentionData struct {
	Scope   scope
	Tabs    []tab
	Rules   []catalog.RuleInForce
	Manages bool
	Preview *preview
}

// preview is what would become of versions, by the rules in force or with another one.
type preview struct {
	Instead *catalog.ScopedRule // nil: by those in force
	Kept    int
	Gone    int
	Bytes   int64 // of those that go; layers that others need stay
	Goes    []catalog.RetentionDecision
	// Of a namespace, by image; those with a rule of their own, which Instead leaves as they are, are not counted above.
	Images []imagePreview
	Query  string // with which an image's own preview shows the same
	Pager  pager
}

// imagePreview is what would become of the versions of one image.
type imagePreview struct {
	Ref   catalog.ImageRef
	Own   bool // it has a rule of its own in place of Instead
	Kept  int
	Gone  int
	Bytes int64
}

// Own is where a rule is from that is set and removed on the page itself.
func (d retentionData) Own() string {
	if d.Scope.Image == nil {
		return catalog.RuleOfNamespace
	}
	return catalog.RuleOfImage
}

// retentionPage shows the rules in force.
func (c *call) retentionPage() error {
	data, err := c.retention()
	if err != nil {
		return err
	}
	scope := catalog.RetentionScope{Namespace: c.namespace, ImageID: data.Scope.imageID()}
	if data.Rules, err = c.server.config.Retention.Rules(c.r.Context(), scope); err != nil {
		return err
	}
	return c.show(http.StatusOK, "retention", "retention", data)
}

func (c *call) retention() (data retentionData, err error) {
	data.Scope, err = c.scope()
	if err == nil {
		data.Manages = c.manages()
		data.Tabs = data.Scope.tabs("retention", data.Manages)
	}
	return data, err
}

// previewPage shows what would go: with the rule that the query has, else by the rules in force.
func (c *call) previewPage() error {
	data, err := c.retention()
	if err != nil {
		return err
	}
	data.Preview = &preview{}
	if q := c.r.URL.Query(); q.Has("kind") {
		rule, err := catalog.ParseRetentionRule(q.Get("kind"), q.Get("keep_last"), q.Get("keep_days"), q.Get("keep"))
		if err != nil {
			return err
		}
		data.Preview.Instead = &rule
	}
	if data.Scope.Image == nil {
		err = c.previewNamespace(data.Preview)
	} else {
		err = c.previewImage(data.Preview, *data.Scope.Image, data.Preview.Instead)
	}
	if err != nil {
		return err
	}
	return c.show(http.StatusOK, "preview", "retention.previewed", data)
}

// previewNamespace looks at a page of the namespace's images.
func (c *call) previewNamespace(p *preview) error {
	page, err := c.page()
	if err != nil {
		return err
	}
	images, err := c.server.config.Store.ListImages(c.r.Context(), c.namespace, page)
	if err != nil {
		return err
	}
	images, p.Pager = cut(c, images, func(i catalog.Image) int64 { return i.ID })
	query := c.r.URL.Query()
	query.Del("after")
	if p.Query = query.Encode(); p.Query != "" {
		p.Query = "?" + p.Query
	}
	for _, image := range images {
		row := imagePreview{Ref: image.Ref}
		if row.Own, err = c.hasOwnRule(image, p.Instead); err != nil {
			return err
		}
		if !row.Own {
			var one preview
			if err := c.previewImage(&one, image, p.Instead); err != nil {
				return err
			}
			row.Kept, row.Gone, row.Bytes = one.Kept, one.Gone, one.Bytes
			p.Kept, p.Gone, p.Bytes = p.Kept+one.Kept, p.Gone+one.Gone, p.Bytes+one.Bytes
		}
		p.Images = append(p.Images, row)
	}
	return nil
}

// hasOwnRule reports whether an image has a rule of its own that a rule of its namespace, nil for none, does not replace.
func (c *call) hasOwnRule(image catalog.Image, instead *catalog.ScopedRule) (bool, error) {
	if instead == nil {
		return false, nil
	}
	rules, err := c.server.config.Retention.Rules(c.r.Context(), catalog.RetentionScope{Namespace: c.namespace, ImageID: image.ID})
	for _, rule := range rules {
		if rule.Kind == instead.Kind && rule.From == catalog.RuleOfImage {
			return true, err
		}
	}
	return false, err
}

func (c *call) previewImage(p *preview, image catalog.Image, instead *catalog.ScopedRule) error {
	decisions, err := c.server.config.Retention.Preview(c.r.Context(), image, instead)
	if err != nil {
		return err
	}
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
	return nil
}

func (c *call) setRetention() error {
	about, err := c.scope()
	if err != nil {
		return err
	}
	rule, err := catalog.ParseRetentionRule(c.form.Get("kind"), c.field("keep_last"), c.field("keep_days"), c.field("keep"))
	if err != nil {
		return err
	}
	rule.RetentionScope = catalog.RetentionScope{Namespace: c.namespace, ImageID: about.imageID()}
	if err := c.server.config.Store.SetRetentionRule(c.r.Context(), rule); err != nil {
		return err
	}
	c.audit("retention rule set", append(about.audited(), "kind", rule.Kind, "keeps", rule.Rule)...)
	return c.done(about.At("/retention"), "saved")
}

func (c *call) dropRetention() error {
	about, err := c.scope()
	if err != nil {
		return err
	}
	kind := catalog.RetentionKind(c.form.Get("kind"))
	scope := catalog.RetentionScope{Namespace: c.namespace, ImageID: about.imageID()}
	if err := c.server.config.Store.DeleteRetentionRule(c.r.Context(), scope, kind); err != nil {
		return err
	}
	c.audit("retention rule deleted", append(about.audited(), "kind", kind)...)
	return c.done(about.At("/retention"), "saved")
}
