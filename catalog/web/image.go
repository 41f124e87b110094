package web

import (
	"net/http"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// image returns the image that the path names. Errors: NotFound.
func (c *call) image() (catalog.Image, error) {
	return c.server.config.Store.Image(c.r.Context(), catalog.ImageRef{Namespace: c.namespace, Name: c.r.PathValue("image")})
}

// version returns the image and the version that the path names. Errors: NotFound.
func (c *call) version() (catalog.Image, catalog.Version, error) {
	image, err := c.image()
	if err != nil {
		return image, catalog.Version{}, err
	}
	version, err := c.server.config.Store.Version(c.r.Context(), image.ID, c.r.PathValue("version"))
	return image, version, err
}

// imageData is what the page of an image shows.
type imageData struct {
	Image    catalog.Image
	Tabs     []tab
	State    catalog.State // that the list is narrowed to; empty: all
	States   []catalog.State
	Versions []versionRow
	Pager    pager
	PushURL  string
	Registry string
	Pull     string // a reference, without the version
	Example  string // the newest version that can be pulled; empty: there is none
	// Of the built versions on the page.
	Durations, Sizes spark
}

// versionRow is a version in a list.
type versionRow struct {
	catalog.Version
	Took    time.Duration // of the newest build's last attempt; 0: it has not ended
	Change  int64         // of the size, against the built version before
	Changed bool          // there is one before
}

func (c *call) imagePage() error {
	page, err := c.page()
	if err != nil {
		return err
	}
	filter := catalog.VersionFilter{Page: page}
	data := imageData{States: catalog.States(), State: catalog.State(c.r.URL.Query().Get("state"))}
	if data.State != "" {
		filter.States = []catalog.State{data.State}
	}
	if data.Image, err = c.image(); err != nil {
		return err
	}
	versions, err := c.server.config.Store.ListVersions(c.r.Context(), data.Image.ID, filter)
	if err != nil {
		return err
	}
	versions, data.Pager = cut(c, versions, func(v catalog.Version) int64 { return v.ID })
	if data.Versions, err = c.versionRows(data.Image, versions); err != nil {
		return err
	}
	data.Tabs = imageTabs(data.Image.Ref, "image.versions", c.manages())
	data.Durations, data.Sizes = sparksOf(data.Versions)
	data.PushURL = c.server.config.GitURL + "/" + data.Image.Source.String()
	data.Registry = c.server.config.RegistryHost
	data.Pull = data.Registry + "/" + data.Image.Ref.Repository()
	built, err := c.builtBefore(data.Image, 0)
	if err != nil {
		return err
	}
	data.Example = built.Name
	return c.show(http.StatusOK, "image", "", data)
}

// versionRows adds what the newest build of each took, and how its size changed.
func (c *call) versionRows(image catalog.Image, versions []catalog.Version) ([]versionRow, error) {
	ctx, store := c.r.Context(), c.server.config.Store
	rows := make([]versionRow, len(versions))
	var newer *versionRow // built, and waits for the one before it
	for i, v := range versions {
		rows[i].Version = v
		build, err := catalog.NewestBuild(ctx, store, v)
		if err != nil && catalog.CodeOf(err) != catalog.NotFound {
			return nil, err
		}
		if !build.StartedAt.IsZero() && !build.EndedAt.IsZero() {
			rows[i].Took = build.EndedAt.Sub(build.StartedAt)
		}
		if v.State != catalog.Built {
			continue
		}
		if newer != nil {
			newer.Change, newer.Changed = newer.Size-v.Size, true
		}
		newer = &rows[i]
	}
	if newer == nil {
		return rows, nil
	}
	before, err := c.builtBefore(image, newer.ID)
	if err == nil && before.Name != "" {
		newer.Change, newer.Changed = newer.Size-before.Size, true
	}
	return rows, err
}
