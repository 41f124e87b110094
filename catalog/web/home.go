package web

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	homeNamespaces = 20  // that the first page shows
	homeImages     = 10  // of each
	homeBuilds     = 12  // the latest
	homeEvents     = 100 // that the latest builds are looked for in
	listed         = 30  // images or versions on one page
)

// homeData is what the first page shows.
type homeData struct {
	Builds     []buildRow
	Queue      catalog.QueueState
	Namespaces []namespaceRow
	More       bool // namespaces that are not shown
	GitURL     string
	NoKey      bool // the user can't push yet
	LastEvent  int64
}

type namespaceRow struct {
	Name   string
	Images []catalog.Image
	More   bool
}

// buildRow is a build in a list, with its place while it waits.
type buildRow struct {
	catalog.Build
	Place *catalog.QueuePlace
}

func (c *call) home() error {
	ctx, store := c.r.Context(), c.server.config.Store
	data := homeData{GitURL: c.server.config.GitURL}
	var err error
	if data.LastEvent, err = store.LastEvent(ctx); err != nil { // before what it may change
		return err
	}
	if data.Builds, err = c.latestBuilds(); err != nil {
		return err
	}
	if data.Queue, err = store.QueueState(ctx); err != nil {
		return err
	}
	namespaces, more, err := c.homeNamespaces()
	if err != nil {
		return err
	}
	data.More = more
	keys, err := store.ListKeys(ctx, c.id.User.ID)
	if err != nil {
		return err
	}
	data.NoKey = len(keys) == 0
	for _, name := range namespaces {
		images, err := store.ListImages(ctx, name, catalog.Page{Limit: homeImages + 1})
		if err != nil {
			return err
		}
		data.Namespaces = append(data.Namespaces, namespaceRow{name, images[:min(len(images), homeImages)], len(images) > homeImages})
	}
	return c.show(http.StatusOK, "home", "home.title", data)
}

// homeNamespaces are the user's own namespace, unless another admin of it has removed the user, and the newest others that the user belongs to,
// and whether there are more.
func (c *call) homeNamespaces() (names []string, more bool, err error) {
	ctx, store, own := c.r.Context(), c.server.config.Store, c.id.User.Name
	namespaces, err := store.ListNamespaces(ctx, c.id.User.ID, catalog.Page{Limit: homeNamespaces + 1})
	if err != nil {
		return nil, false, err
	}
	for _, n := range namespaces[:min(len(namespaces), homeNamespaces)] {
		if n.Name != own {
			names = append(names, n.Name)
		}
	}
	slices.Sort(names)
	switch err := catalog.Authorize(ctx, store, c.id, catalog.ActionRead, catalog.Target{Namespace: own}); catalog.CodeOf(err) {
	case "":
		names = append([]string{own}, names...)
	case catalog.NotFound:
	default:
		return nil, false, err
	}
	return names, len(namespaces) > homeNamespaces, nil
}

// latestBuilds finds the builds of the user's namespaces by what was told of them, and reads each as it is now.
func (c *call) latestBuilds() ([]buildRow, error) {
	ctx, store := c.r.Context(), c.server.config.Store
	events, err := store.LatestEventsForMember(ctx, c.id.User.ID, homeEvents)
	if err != nil {
		return nil, err
	}
	var rows []buildRow
	seen := map[int64]bool{0: true} // 0: an event of no build
	for _, e := range events {
		if seen[e.BuildID] {
			continue
		}
		seen[e.BuildID] = true
		build, err := store.Build(ctx, e.BuildID)
		if err == nil { // the image may have gone to another namespace since
			err = catalog.Authorize(ctx, store, c.id, catalog.ActionRead, catalog.Target{Namespace: build.Image.Namespace, Image: build.Image.Name})
		}
		if catalog.CodeOf(err) == catalog.NotFound { // deleted since, or none of the user's any more
			continue
		}
		if err != nil {
			return nil, err
		}
		row := buildRow{Build: build}
		if row.Place, err = c.place(build); err != nil {
			return nil, err
		}
		if rows = append(rows, row); len(rows) == homeBuilds {
			break
		}
	}
	return rows, nil
}

// place says where a build stands that waits; nil for others.
func (c *call) place(b catalog.Build) (*catalog.QueuePlace, error) {
	if b.State != catalog.Pending {
		return nil, nil
	}
	place, err := c.server.config.Control.Queued(c.r.Context(), b.ID)
	switch catalog.CodeOf(err) {
	case "":
		return &place, nil
	case catalog.NotFound: // it started meanwhile
		return nil, nil
	}
	return nil, err
}

// namespaceData is what the page of a namespace shows.
type namespaceData struct {
	Name   string
	Tabs   []tab
	Images []catalog.Image
	Pager  pager
	GitURL string
}

func (c *call) namespacePage() error {
	page, err := c.page()
	if err != nil {
		return err
	}
	images, err := c.server.config.Store.ListImages(c.r.Context(), c.namespace, page)
	if err != nil {
		return err
	}
	data := namespaceData{Name: c.namespace, Tabs: namespaceTabs(c.namespace, "home.images", c.manages()), GitURL: c.server.config.GitURL}
	data.Images, data.Pager = cut(c, images, func(i catalog.Image) int64 { return i.ID })
	return c.show(http.StatusOK, "namespace", "", data)
}

// pager links to other pages of a list; what is empty is not there.
type pager struct{ First, Next string }

// page reads which page of a list is asked for: one item more than it shows, to know whether another follows.
func (c *call) page() (catalog.Page, error) {
	page := catalog.Page{Limit: listed + 1}
	if after := c.r.URL.Query().Get("after"); after != "" {
		id, err := strconv.ParseInt(after, 10, 64)
		if err != nil || id < 1 {
			return page, catalog.FieldErrorf("after", "%q is not an address of a page of this list", after)
		}
		page.Before = id
	}
	return page, nil
}

// cut drops the item too many, and links to the page behind these.
func cut[Item any](c *call, items []Item, id func(Item) int64) (shown []Item, p pager) {
	query := c.r.URL.Query()
	if query.Has("after") {
		query.Del("after")
		p.First = "?" + query.Encode()
	}
	if len(items) > listed {
		items = items[:listed]
		query.Set("after", strconv.FormatInt(id(items[listed-1]), 10))
		p.Next = "?" + query.Encode()
	}
	return items, p
}
