package rest

import (
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

// mirror returns what keeps images of other registries. Errors: NotFound.
func (c *call) mirror() (catalog.Mirror, error) {
	if c.server.config.Mirror == nil {
		return nil, catalog.Errorf(catalog.NotFound, "this server does not keep images of other registries: the BuildKit daemons in builder.addresses pull them by themselves")
	}
	return c.server.config.Mirror, nil
}

func (c *call) listMirrored() ([]api.MirroredImage, error) {
	mirror, err := c.mirror()
	if err != nil {
		return nil, err
	}
	images, err := mirror.ListMirrored(c.r.Context())
	return convertAll(images, func(i catalog.MirroredImage) api.MirroredImage {
		return api.MirroredImage{Name: i.Name, Tags: append([]string{}, i.Tags...), Digest: i.Digest, Size: i.Bytes, CheckedAt: api.Time{Time: i.CheckedAt}, UsedAt: api.Time{Time: i.UsedAt}}
	}), err
}

func (c *call) pruneMirrored() (api.Pruned, error) {
	mirror, err := c.mirror()
	if err != nil {
		return api.Pruned{}, err
	}
	filter := catalog.MirrorFilter{Name: c.r.URL.Query().Get("image")}
	if filter.UnusedBefore, err = c.timeIn("unused_before"); err != nil {
		return api.Pruned{}, err
	}
	done, err := mirror.PruneMirrored(c.r.Context(), filter)
	if err != nil {
		return api.Pruned{}, err
	}
	c.audit("kept images of other registries removed", "images", done.Images, "bytes", done.Bytes)
	return api.Pruned{Images: done.Images, Size: done.Bytes}, nil
}
