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

// tags lists an image's built versions as the distribution specification says:
// in lexical order, up to n of them after last.
func (r *Registry) tags(image catalog.Image) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodGet && req.Method != http.MethodHead {
			r.fail(w, req, catalog.Errorf(catalog.Invalid, "tags can only be listed here"))
			return
		}
		tags, err := r.builtVersions(req.Context(), image.ID)
		if err != nil {
			r.fail(w, req, err)
			return
		}
		query := req.URL.Query()
		if last := query.Get("last"); last != "" {
			i, found := slices.BinarySearch(tags, last)
			if found {
				i++
			}
			tags = tags[i:]
		}
		if query.Has("n") {
			n, err := strconv.Atoi(query.Get("n"))
			if err != nil || n < 0 {
				r.fail(w, req, catalog.FieldErrorf("n", "n must be a number from 0 on"))
				return
			}
			if n > 0 && n < len(tags) {
				tags = tags[:n]
				next := url.Values{"n": {strconv.Itoa(n)}, "last": {tags[n-1]}}
				w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, req.URL.Path, next.Encode()))
			} else if n == 0 {
				tags = tags[:0]
			}
		}
		writeJSON(w, http.StatusOK, tagList{image.Ref.Repository(), tags})
	})
}

func (r *Registry) builtVersions(ctx context.Context, imageID int64) ([]string, error) {
	tags := []string{}
	filter := catalog.VersionFilter{States: []catalog.State{catalog.Built}}
	for {
		versions, err := r.store.ListVersions(ctx, imageID, filter)
		if err != nil {
			return nil, err
		}
		if len(versions) == 0 {
			slices.Sort(tags)
			return tags, nil
		}
		for _, v := range versions {
			tags = append(tags, v.Name)
		}
		filter.Page.Before = versions[len(versions)-1].ID
	}
}
