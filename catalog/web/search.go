package web

import (
	"net/http"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

// searchData is what the page of a search shows.
type searchData struct {
	Query  string
	Images []catalog.Image
}

// search finds an image, or a version of it, by its name: "image", "namespace/image", or either with ":version".
// What is alone is shown at once.
func (c *call) search() error {
	data := searchData{Query: strings.TrimSpace(c.r.URL.Query().Get("q"))}
	name, version, _ := strings.Cut(data.Query, ":")
	namespaces := []string{}
	if namespace, image, found := strings.Cut(name, "/"); found {
		name, namespaces = image, append(namespaces, namespace)
	} else {
		mine, err := c.server.config.Store.ListNamespaces(c.r.Context(), c.id.User.ID)
		if err != nil {
			return err
		}
		for _, n := range mine[:min(len(mine), homeNamespaces)] {
			namespaces = append(namespaces, n.Name)
		}
	}
	for _, namespace := range namespaces {
		image, err := c.imageOf(namespace, name)
		switch catalog.CodeOf(err) {
		case "":
			data.Images = append(data.Images, image)
		case catalog.NotFound:
		default:
			return err
		}
	}
	if len(data.Images) != 1 {
		return c.show(http.StatusOK, "search", "search.title", data)
	}
	ref := data.Images[0].Ref
	if version == "" {
		return c.goTo(pathOf(ref.Namespace, ref.Name))
	}
	return c.goTo(pathOf(ref.Namespace, ref.Name, version))
}

// imageOf returns an image that the user may read. Errors: NotFound.
func (c *call) imageOf(namespace, name string) (catalog.Image, error) {
	ctx, store := c.r.Context(), c.server.config.Store
	if err := catalog.Authorize(ctx, store, c.id, catalog.ActionRead, catalog.Target{Namespace: namespace, Image: name}); err != nil {
		return catalog.Image{}, err
	}
	return store.Image(ctx, catalog.ImageRef{Namespace: namespace, Name: name})
}
