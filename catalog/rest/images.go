package rest

import (
	"context"
	"errors"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

func (c *call) listImages() error {
	return wholeList(c, func(page catalog.Page) ([]catalog.Image, error) {
		return c.server.config.Store.ListImages(c.r.Context(), c.namespace, page)
	}, func(i catalog.Image) int64 { return i.ID }, imageOf)
}

func (c *call) createImage(in api.CreateImage) (api.Message, error) {
	image, err := c.server.config.Store.CreateImage(c.r.Context(), catalog.NewImage{
		Ref:     catalog.ImageRef{Namespace: c.namespace, Name: in.Name},
		OwnerID: c.id.User.ID,
	})
	if err != nil {
		return api.Message{}, about("name", err)
	}
	c.audit("image created", "image", image.Ref)
	return messageOK("Image created successfully"), nil
}

// about names the field of an error that can only come from one.
func about(field string, err error) error {
	var e *catalog.Error
	if !errors.As(err, &e) || e.Field != "" || e.Code != catalog.Invalid && e.Code != catalog.Conflict {
		return err
	}
	named := *e
	named.Field = field
	return &named
}

func (c *call) updateImage(in api.UpdateImage) (api.Image, error) {
	image, err := c.image()
	if err != nil {
		return api.Image{}, err
	}
	var update catalog.ImageUpdate
	if in.SignedTags != nil {
		required, err := catalog.ParseSignedTags(*in.SignedTags)
		if err != nil {
			return api.Image{}, err
		}
		update.SignedTags = &required
	}
	if image, err = c.server.config.Store.UpdateImage(c.r.Context(), image.ID, update); err != nil {
		return api.Image{}, err
	}
	c.audit("image changed", "image", image.Ref, "signed_tags", image.SignedTagsSetting())
	return imageOf(image), nil
}

func (c *call) deleteImage() error {
	image, err := c.image()
	if err != nil {
		return err
	}
	if err := c.server.config.Store.DeleteImage(c.r.Context(), image.ID); err != nil {
		return err
	}
	c.audit("image deleted", "image", image.Ref)
	c.server.config.Remover.Remove(context.WithoutCancel(c.r.Context()))
	return c.deleted("Image Deleted Successfully")
}

// transferImage gives an image to another namespace, which the user has to manage as well.
func (c *call) transferImage(in api.TransferImage) ([]api.TransferredImage, error) {
	image, err := c.image()
	if err != nil {
		return nil, err
	}
	if err := catalog.AuthorizeTransfer(c.r.Context(), c.server.config.Store, c.id, image.Ref, in.Namespace); err != nil {
		return nil, err
	}
	moves, err := c.server.config.Transfers.Transfer(c.r.Context(), image, in.Namespace)
	for _, m := range moves {
		c.audit("image transferred", "image", m.From, "to", m.To)
	}
	return convertAll(moves, func(m catalog.Move) api.TransferredImage {
		return api.TransferredImage{From: m.From.String(), To: m.To.String()}
	}), err
}

func (c *call) defaultBranch() (api.DefaultBranch, error) {
	image, err := c.image()
	if err != nil {
		return api.DefaultBranch{}, err
	}
	d, err := c.server.config.Branches.DefaultBranch(c.r.Context(), image.Ref)
	return defaultBranchOf(image, d), err
}

func (c *call) setDefaultBranch(in api.SetDefaultBranch) (api.DefaultBranch, error) {
	image, err := c.image()
	if err != nil {
		return api.DefaultBranch{}, err
	}
	d, err := c.server.config.Branches.SetDefaultBranch(c.r.Context(), image.Ref, in.Branch)
	if err != nil {
		return api.DefaultBranch{}, err
	}
	c.audit("default branch chosen", "image", image.Ref, "branch", in.Branch)
	return defaultBranchOf(image, d), nil
}

func defaultBranchOf(i catalog.Image, d catalog.DefaultBranch) api.DefaultBranch {
	return api.DefaultBranch{Branch: d.Name, Exists: d.Exists, Awaited: d.Awaited, Message: d.Sentence(i.Ref)}
}

func imageOf(i catalog.Image) api.Image {
	out := api.Image{Name: i.Ref.Name, Namespace: i.Ref.Namespace, Owner: i.OwnerID, CreatedAt: api.Time{Time: i.CreatedAt}, SignedTags: i.SignedTagsSetting()}
	if i.SourceID != i.ID {
		out.Source = i.Source.String()
	}
	if i.LastVersion != nil {
		last := versionOf(*i.LastVersion)
		out.LastVersion = &last
	}
	return out
}
