package rest

import (
	"errors"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

func (c *call) listImages() ([]api.Image, error) {
	return list(c, func(page catalog.Page) ([]catalog.Image, error) {
		return c.Store.ListImages(c.r.Context(), c.namespace, page)
	}, func(i catalog.Image) int64 { return i.ID }, imageOf)
}

func (c *call) createImage(in api.CreateImage) (api.Message, error) {
	image, err := c.Store.CreateImage(c.r.Context(), catalog.NewImage{
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

func (c *call) deleteImage() error {
	image, err := c.image()
	if err != nil {
		return err
	}
	ctx := c.r.Context()
	builds, err := c.imageBuilds(image.ID)
	if err != nil {
		return err
	}
	if err := c.Store.DeleteImage(ctx, image.ID); err != nil {
		return err
	}
	c.audit("image deleted", "image", image.Ref)
	if err := c.Remover.RemoveImage(ctx, image.Ref, builds); err != nil {
		return catalog.Wrap(catalog.Internal, err, "the image is deleted, but something of its files was left behind; the server's log says what")
	}
	return c.deleted("Image Deleted Successfully")
}

// imageBuilds returns the IDs of all builds of all versions of an image.
func (c *call) imageBuilds(imageID int64) ([]int64, error) {
	var builds []int64
	filter := catalog.VersionFilter{}
	for {
		versions, err := c.Store.ListVersions(c.r.Context(), imageID, filter)
		if err != nil || len(versions) == 0 {
			return builds, err
		}
		for _, v := range versions {
			ids, err := c.versionBuilds(v.ID)
			if err != nil {
				return nil, err
			}
			builds = append(builds, ids...)
			filter.Page.Before = v.ID
		}
	}
}

func (c *call) versionBuilds(versionID int64) ([]int64, error) {
	var ids []int64
	page := catalog.Page{}
	for {
		builds, err := c.Store.ListBuilds(c.r.Context(), versionID, page)
		if err != nil || len(builds) == 0 {
			return ids, err
		}
		for _, b := range builds {
			ids = append(ids, b.ID)
			page.Before = b.ID
		}
	}
}

func imageOf(i catalog.Image) api.Image {
	out := api.Image{Name: i.Ref.Name, Namespace: i.Ref.Namespace, Owner: i.OwnerID, CreatedAt: api.Time{Time: i.CreatedAt}}
	if i.LastVersion != nil {
		last := versionOf(*i.LastVersion)
		out.LastVersion = &last
	}
	return out
}
