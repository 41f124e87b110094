package web

import (
	"context"
	"net/http"

	"github.com/fandoghpaas/fandogh/catalog"
)

// settingsOf is the path of an image's settings, or of a page of them.
func settingsOf(ref catalog.ImageRef, rest string) string {
	return "/settings" + pathOf(ref.Namespace, ref.Name)[len("/images"):] + rest
}

// namespaceAt is the path of a page about a namespace.
func namespaceAt(namespace, rest string) string {
	return "/namespaces" + pathOf(namespace)[len("/images"):] + rest
}

// membersOf is the path of a namespace's members.
func membersOf(namespace string) string { return namespaceAt(namespace, "/members") }

// scope is what a page of settings is about: an image, or a namespace with all of its images.
type scope struct {
	Namespace string
	Image     *catalog.Image // nil: all
}

// scope returns what the path names. Errors: NotFound.
func (c *call) scope() (scope, error) {
	s := scope{Namespace: c.namespace}
	if c.r.PathValue("image") == "" {
		return s, nil
	}
	image, err := c.image()
	s.Image = &image
	return s, err
}

// imageID is 0 for a namespace.
func (s scope) imageID() int64 {
	if s.Image == nil {
		return 0
	}
	return s.Image.ID
}

// At is the path of a page about it.
func (s scope) At(rest string) string {
	if s.Image == nil {
		return namespaceAt(s.Namespace, rest)
	}
	return settingsOf(s.Image.Ref, rest)
}

// Name is the image's with its namespace, or the namespace's.
func (s scope) Name() string {
	if s.Image == nil {
		return s.Namespace
	}
	return s.Image.Ref.String()
}

// audited is what an audit line says of it.
func (s scope) audited() []any {
	if s.Image == nil {
		return []any{"namespace", s.Namespace}
	}
	return []any{"image", s.Image.Ref}
}

func (s scope) tabs(here string, manages bool) []tab {
	if s.Image == nil {
		return namespaceTabs(s.Namespace, here, manages)
	}
	return imageTabs(s.Image.Ref, here, manages)
}

// tab is a link to a page about the same thing; Here: it is this page.
type tab struct {
	At, Key string
	Here    bool
}

// imageTabs are the pages about an image; webhooks and settings are for those who manage it.
func imageTabs(ref catalog.ImageRef, here string, manages bool) []tab {
	tabs := []tab{
		{pathOf(ref.Namespace, ref.Name), "image.versions", false},
		{settingsOf(ref, "/github"), "github", false},
		{settingsOf(ref, "/retention"), "retention", false},
	}
	if manages {
		tabs = append(tabs, tab{settingsOf(ref, "/webhooks"), "webhooks", false}, tab{settingsOf(ref, ""), "settings", false})
	}
	return opened(append(tabs, tab{membersOf(ref.Namespace), "members", false}), here)
}

// namespaceTabs are the pages about a namespace; webhooks are for those who manage it.
func namespaceTabs(namespace, here string, manages bool) []tab {
	tabs := []tab{
		{pathOf(namespace), "home.images", false}, {membersOf(namespace), "members", false}, {namespaceAt(namespace, "/usage"), "usage", false},
		{namespaceAt(namespace, "/retention"), "retention", false},
	}
	if manages {
		tabs = append(tabs, tab{namespaceAt(namespace, "/webhooks"), "webhooks", false})
	}
	return opened(tabs, here)
}

func opened(tabs []tab, key string) []tab {
	for i := range tabs {
		tabs[i].Here = tabs[i].Key == key
	}
	return tabs
}

func (c *call) manages() bool { return c.mayDo(catalog.ActionManage) == nil }

// settingsData is what the page of an image's settings shows.
type settingsData struct {
	Image catalog.Image
	Tabs  []tab
}

func (c *call) settingsPage() error {
	image, err := c.image()
	if err != nil {
		return err
	}
	return c.show(http.StatusOK, "settings", "settings", settingsData{image, imageTabs(image.Ref, "settings", c.manages())})
}

func (c *call) signTags() error {
	image, err := c.image()
	if err != nil {
		return err
	}
	required, err := catalog.ParseSignedTags(c.form.Get("signed_tags"))
	if err != nil {
		return err
	}
	if image, err = c.server.config.Store.UpdateImage(c.r.Context(), image.ID, catalog.ImageUpdate{SignedTags: &required}); err != nil {
		return err
	}
	c.audit("image changed", "image", image.Ref, "signed_tags", image.SignedTagsSetting())
	return c.done(settingsOf(image.Ref, ""), "saved")
}

func (c *call) deleteImage() error {
	image, err := c.image()
	if err != nil {
		return err
	}
	if err := c.typed(image.Ref.String()); err != nil {
		return err
	}
	back := pathOf(image.Ref.Namespace)
	if err := c.server.config.Store.DeleteImage(c.r.Context(), image.ID); err != nil {
		return err
	}
	c.audit("image deleted", "image", image.Ref)
	c.server.config.Remover.Remove(context.WithoutCancel(c.r.Context()))
	return c.done(back, "image_deleted")
}
