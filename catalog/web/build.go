package web

import (
	"net/http"
	"strconv"

	"github.com/fandoghpaas/fandogh/catalog"
)

// buildData is what the page of a build shows.
type buildData struct {
	Image    catalog.Image
	Build    catalog.Build
	Options  []string // that it was asked for, as options of a push
	By       string   // who asked; empty: not known any more
	Place    *catalog.QueuePlace
	Steps    []stepRow
	Why      *catalog.CacheMiss // that made it slow; nil: none is known
	Log      logView
	MayWrite bool
}

// BuildPath is the path of the page of a build.
func BuildPath(b catalog.Build) string {
	return pathOf(b.Image.Namespace, b.Image.Name, b.Version, b.Number)
}

// build returns the image and the build that the path names. Errors: NotFound.
func (c *call) build() (catalog.Image, catalog.Build, error) {
	image, version, err := c.version()
	if err != nil {
		return image, catalog.Build{}, err
	}
	number, err := strconv.Atoi(c.r.PathValue("build"))
	if err != nil {
		return image, catalog.Build{}, catalog.Errorf(catalog.NotFound, "%q is not the number of a build", c.r.PathValue("build"))
	}
	build, err := c.server.config.Store.BuildByNumber(c.r.Context(), version.ID, number)
	return image, build, err
}

func (c *call) buildPage() error {
	ctx, store := c.r.Context(), c.server.config.Store
	image, build, err := c.build()
	if err != nil {
		return err
	}
	data := buildData{Image: image, Build: build, MayWrite: c.mayDo(catalog.ActionWrite) == nil}
	data.Options = build.Options.Words(data.MayWrite)
	if build.UserID != 0 {
		user, err := store.UserByID(ctx, build.UserID)
		if err != nil && catalog.CodeOf(err) != catalog.NotFound {
			return err
		}
		data.By = user.Name
	}
	if data.Place, err = c.place(build); err != nil {
		return err
	}
	steps, err := c.steps(build)
	if err != nil {
		return err
	}
	data.Steps = stepRows(steps, c.server.now())
	data.Why = c.diagnose(build, steps).Miss
	if data.Log, err = c.readLog(build); err != nil {
		return err
	}
	return c.show(http.StatusOK, "build", "", data)
}
