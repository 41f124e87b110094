package web

import (
	"net/http"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

// versionBuilds is how many builds the page of a version lists, the newest.
const versionBuilds = 20

// versionData is what the page of a version shows.
type versionData struct {
	Image     catalog.Image
	Version   catalog.Version
	Reference string // to pull by tag
	ByDigest  string // to pull by digest; empty until it is built
	Builds    []buildRow
	Signature catalog.TagSignature
	Content   *api.ImageContent // without Layers and History; nil: it is not built, or can't be read
	Shortened bool              // there is more in it, or in the instructions of layers
	Layers    layersView
	Inspect   string               // the configuration as JSON
	CutOff    bool                 // that there is more of
	Commits   []catalog.CommitInfo // since the version before
	Older     bool                 // there are more
	Source    catalog.Diagnosis    // of the build that made it
	MayWrite  bool
}

func (c *call) versionPage() error {
	ctx := c.r.Context()
	image, version, err := c.version()
	if err != nil {
		return err
	}
	repository := c.server.config.RegistryHost + "/" + image.Ref.Repository()
	data := versionData{Image: image, Version: version, Reference: repository + ":" + version.Name, MayWrite: c.mayDo(catalog.ActionWrite) == nil}
	builds, err := c.server.config.Store.ListBuilds(ctx, version.ID, catalog.Page{Limit: versionBuilds})
	if err != nil {
		return err
	}
	for _, b := range builds {
		place, err := c.place(b)
		if err != nil {
			return err
		}
		data.Builds = append(data.Builds, buildRow{b, place})
	}
	if len(builds) > 0 {
		data.Signature = builds[0].Signature
	}
	if version.State == catalog.Built {
		data.ByDigest = repository + "@" + version.Digest
		if err := c.showBuilt(&data, builds); err != nil {
			return err
		}
	}
	return c.show(http.StatusOK, "version", "", data)
}

// IsArtifact reports whether it is known to be no image that can be run, such as a chart, whose own client pulls it.
func (d versionData) IsArtifact() bool { return d.Content != nil && len(d.Content.Platforms) == 0 }

// sinceCommits is how many commits the page of a version lists.
const sinceCommits = 30

// showBuilt adds what a built version was made of, and what of it is new.
func (c *call) showBuilt(data *versionData, builds []catalog.Build) error {
	ctx, image, version := c.r.Context(), data.Image, data.Version
	before, err := c.builtBefore(image, version.ID)
	if err != nil {
		return err
	}
	if err := c.showContent(data, before); err != nil {
		return err
	}
	if len(builds) == 0 || builds[0].Commit == "" {
		return nil
	}
	steps, err := c.server.config.Store.Steps(ctx, builds[0].ID)
	if err != nil {
		return err
	}
	data.Source = c.diagnose(builds[0], steps)
	if before.Commit == "" || before.Commit == version.Commit {
		return nil
	}
	data.Commits, data.Older, err = c.server.config.Histories.CommitsSince(ctx, builds[0].Source, before.Commit, version.Commit, sinceCommits)
	if err != nil { // a commit may be gone, or too old for what was fetched
		requests.Logger(ctx).Debug("failed to read the commits of a version", "image", image.Ref, "version", version.Name, "error", err)
	}
	return nil
}

// showContent adds the layers and the configuration of a version that can be read. Few do so at a time: what is read may be large, and what is kept of it is not.
// Errors: ctx's own.
func (c *call) showContent(data *versionData, before catalog.Version) error {
	ctx, ref, contents := c.r.Context(), data.Image.Ref, c.server.config.Contents
	release, err := c.server.reading.Take(ctx, ref.Namespace)
	if err != nil {
		return err
	}
	defer release()
	content, err := contents.Content(ctx, ref, data.Version.Digest)
	if err != nil { // the rest is true all the same
		requests.Logger(ctx).Warn("failed to read a built image", "image", ref, "version", data.Version.Name, "error", err)
		return nil
	}
	var earlier *api.ImageContent
	if before.Name != "" {
		if content, err := contents.Content(ctx, ref, before.Digest); err == nil {
			earlier = &content
		}
	}
	data.Layers = viewLayers(&content, earlier, before.Name)
	data.Content, data.Shortened = shorten(content, data.Layers.Rows)
	images, err := contents.PlatformImages(ctx, ref, data.Version.Digest)
	if err != nil || len(images) == 0 { // such as a chart
		return nil
	}
	data.Inspect, data.CutOff = inspect(images[0], data.Reference, data.ByDigest, data.Version.Size)
	return nil
}
