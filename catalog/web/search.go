package web

import (
	"net/http"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

// found bounds what the page of a search lists of each kind.
const found = 30

// searchData is what the page of a search shows.
type searchData struct {
	Query    string
	Images   []catalog.ImageRef
	Versions []catalog.FoundVersion
}

// search finds an image, or a version of it, by its name: "image", the beginning of one, "namespace/image", or any with ":version"; and a
// version by its commit or digest, or their beginning. What is alone is shown at once.
func (c *call) search() error {
	data := searchData{Query: strings.TrimSpace(c.r.URL.Query().Get("q"))}
	path, err := c.findByName(&data)
	if err != nil {
		return err
	}
	if err := c.findByContent(&data); err != nil {
		return err
	}
	switch {
	case path != "" && len(data.Versions) == 0:
		return c.goTo(path)
	case len(data.Versions) == 1 && len(data.Images) == 0:
		v := data.Versions[0]
		return c.goTo(pathOf(v.Image.Namespace, v.Image.Name, v.Name))
	}
	return c.show(http.StatusOK, "search", "search.title", data)
}

// findByName finds images, and returns the path of the one that is called just so, or of its version.
func (c *call) findByName(data *searchData) (path string, err error) {
	name, version, hasVersion := strings.Cut(data.Query, ":")
	if namespace, image, full := strings.Cut(name, "/"); full {
		found, err := c.imageOf(namespace, image)
		if err == nil {
			data.Images = []catalog.ImageRef{found.Ref}
		} else if catalog.CodeOf(err) != catalog.NotFound {
			return "", err
		}
		name = image
	} else if name != "" {
		if data.Images, err = c.server.config.Store.FindImages(c.r.Context(), c.id.User.ID, name, found); err != nil {
			return "", err
		}
	}
	var exact []catalog.ImageRef
	for _, ref := range data.Images {
		if strings.EqualFold(ref.Name, name) {
			exact = append(exact, ref)
		}
	}
	switch {
	case len(exact) != 1:
		return "", nil
	case hasVersion && version != "":
		return pathOf(exact[0].Namespace, exact[0].Name, version), nil
	}
	return pathOf(exact[0].Namespace, exact[0].Name), nil
}

// findByContent finds versions by commit or digest, for administrators those of all namespaces.
func (c *call) findByContent(data *searchData) error {
	member := c.id.User.ID
	if c.id.User.Admin {
		member = 0
	}
	seen := map[int64]bool{}
	for _, prefix := range catalog.VersionPrefixes(data.Query) {
		versions, err := c.server.config.Store.FindVersions(c.r.Context(), member, prefix, found)
		if err != nil {
			return err
		}
		for _, v := range versions {
			if !seen[v.ID] {
				seen[v.ID] = true
				data.Versions = append(data.Versions, v)
			}
		}
	}
	return nil
}

// imageOf returns an image that the user may read. Errors: NotFound.
func (c *call) imageOf(namespace, name string) (catalog.Image, error) {
	ctx, store := c.r.Context(), c.server.config.Store
	if err := catalog.Authorize(ctx, store, c.id, catalog.ActionRead, catalog.Target{Namespace: namespace, Image: name}); err != nil {
		return catalog.Image{}, err
	}
	return store.Image(ctx, catalog.ImageRef{Namespace: namespace, Name: name})
}
