package registry

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/fandoghpaas/fandogh/catalog"
)

type tagList struct {
	Name string   `json:"name"`
	Tags []string `json:"tags"`
}

// listTags lists an image's built versions, and its tags that are none.
func (c *call) listTags() error {
	r, image := c.registry, c.image
	return c.list(func(ctx context.Context) ([]string, error) {
		tags := []string{}
		err := catalog.EachVersion(ctx, r.store, image.ID, func(v catalog.Version) error {
			tags = append(tags, v.Name)
			return nil
		}, catalog.Built)
		if err != nil {
			return nil, err
		}
		others, err := r.tagsOf(ctx, image)
		for tag := range others {
			if r.isMovable(tag) {
				tags = append(tags, tag)
			}
		}
		return tags, err
	}, func(page []string) any { return tagList{image.Ref.Repository(), page} })
}

type repositoryList struct {
	Repositories []string `json:"repositories"`
}

// listRepositories lists the images that a user may read: those of the user's namespaces, for
// administrators all.
func (c *call) listRepositories() error {
	r, id := c.registry, c.id
	return c.list(func(ctx context.Context) ([]string, error) {
		names := []string{}
		namespaces := []string{""}
		if err := catalog.Authorize(ctx, r.store, id, catalog.ActionOperate, catalog.Target{}); err != nil {
			namespaces = nil
			own, err := catalog.AllNamespaces(ctx, r.store, id.User.ID)
			if err != nil {
				return nil, err
			}
			for _, n := range own {
				namespaces = append(namespaces, n.Name)
			}
		}
		for _, namespace := range namespaces {
			err := catalog.EachImage(ctx, r.store, namespace, func(image catalog.Image) error {
				names = append(names, image.Ref.Repository())
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
		return names, nil
	}, func(page []string) any { return repositoryList{page} })
}

// list answers with a list as the distribution specification says: in lexical order, up to n
// after last.
func (c *call) list(all func(context.Context) ([]string, error), shown func([]string) any) error {
	names, err := all(c.req.Context())
	if err != nil {
		return err
	}
	slices.Sort(names)
	query := c.req.URL.Query()
	if last := query.Get("last"); last != "" {
		i, found := slices.BinarySearch(names, last)
		if found {
			i++
		}
		names = names[i:]
	}
	if query.Has("n") {
		n, err := strconv.Atoi(query.Get("n"))
		if err != nil || n < 0 {
			return catalog.FieldErrorf("n", "n must be a number, 0 or greater")
		}
		if n > 0 && n < len(names) {
			names = names[:n]
			next := url.Values{"n": {strconv.Itoa(n)}, "last": {names[n-1]}}
			c.w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, c.req.URL.Path, next.Encode()))
		} else if n == 0 {
			names = names[:0]
		}
	}
	writeJSON(c.w, http.StatusOK, shown(names))
	return nil
}
