package rest

import (
	"cmp"
	"context"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

func (c *call) listVersions() error {
	filter, err := c.versionFilter()
	if err != nil {
		return err
	}
	image, err := c.image()
	if err != nil {
		return err
	}
	return wholeList(c, func(page catalog.Page) ([]catalog.Version, error) {
		filter.Page = page
		return c.server.config.Store.ListVersions(c.r.Context(), image.ID, filter)
	}, func(v catalog.Version) int64 { return v.ID }, versionOf)
}

func (c *call) versionFilter() (catalog.VersionFilter, error) {
	var filter catalog.VersionFilter
	for _, name := range c.r.URL.Query()["state"] {
		state := catalog.State(name)
		if err := state.Check(); err != nil {
			return filter, err
		}
		filter.States = append(filter.States, state)
	}
	return filter, nil
}

func (c *call) versionDetail() (api.VersionDetail, error) {
	image, version, err := c.version()
	if err != nil {
		return api.VersionDetail{}, err
	}
	builds, err := c.server.config.Store.ListBuilds(c.r.Context(), version.ID, catalog.Page{})
	if err != nil {
		return api.VersionDetail{}, err
	}
	out := api.VersionDetail{
		Version:   versionOf(version),
		Image:     image.Ref.String(),
		Reference: c.server.config.RegistryHost + "/" + image.Ref.Repository() + ":" + version.Name,
		Digest:    version.Digest,
		Tag:       version.Tag,
		Commit:    version.Commit,
		Trigger:   string(version.Trigger),
		Builds:    []api.BuildDetail{},
	}
	if len(builds) > 0 {
		out.TagObject, out.Signature = builds[0].TagObject, signatureOf(builds[0].Signature)
	}
	for _, b := range builds {
		detail, err := c.buildDetail(b)
		if err != nil {
			return api.VersionDetail{}, err
		}
		out.Builds = append(out.Builds, detail)
	}
	if version.State == catalog.Built {
		content, err := c.server.config.Contents.Content(c.r.Context(), image.Ref, version.Digest)
		if err != nil { // the rest is true all the same
			requests.Logger(c.r.Context()).Warn("failed to read a built image", "image", image.Ref, "version", version.Name, "error", err)
			return out, nil
		}
		out.Platform, out.Platforms, out.Layers, out.Config = content.Platform, content.Platforms, content.Layers, &content.Config
	}
	return out, nil
}

// signatureOf is nothing where nothing is known.
func signatureOf(s catalog.TagSignature) *api.TagSignature {
	if s == (catalog.TagSignature{}) {
		return nil
	}
	kind := cmp.Or(s.Kind, catalog.SignatureNone)
	return &api.TagSignature{Kind: string(kind), Verified: s.Verified, Key: s.Key, Signer: s.Signer, Reason: s.Reason}
}

// history lists what made the image, newest first, as docker image history does.
func (c *call) history() ([]api.HistoryEntry, error) {
	image, version, err := c.version()
	if err != nil {
		return nil, err
	}
	if version.State != catalog.Built {
		return nil, catalog.Errorf(catalog.Conflict, "version %q is %s; only a built version has a history", version.Name, version.State)
	}
	content, err := c.server.config.Contents.Content(c.r.Context(), image.Ref, version.Digest)
	return content.History, err
}

func (c *call) deleteVersion() error {
	image, version, err := c.version()
	if err != nil {
		return err
	}
	if err := c.server.config.Store.DeleteVersion(c.r.Context(), version.ID, ""); err != nil {
		return err
	}
	c.audit("version deleted", "image", image.Ref, "version", version.Name)
	c.server.config.Remover.Remove(context.WithoutCancel(c.r.Context()))
	return c.deleted("Version Deleted Successfully")
}

func (c *call) cancel() (api.Message, error) {
	build, err := c.newestBuild()
	if err != nil {
		return api.Message{}, err
	}
	if err := c.server.config.Control.Cancel(c.r.Context(), build.ID); err != nil {
		return api.Message{}, err
	}
	c.audit("build cancelled", "image", build.Image, "version", build.Version, "build", build.ID)
	return messageOK("Build cancelled successfully"), nil
}

func (c *call) rebuild(in api.RebuildVersion) (api.BuildDetail, error) {
	image, version, err := c.version()
	if err != nil {
		return api.BuildDetail{}, err
	}
	build, err := c.server.config.Control.Rebuild(c.r.Context(), image.ID, version.Name, c.id.User.ID, in.Options)
	if err != nil {
		return api.BuildDetail{}, err
	}
	c.audit("rebuild requested", "image", image.Ref, "version", version.Name, "build", build.ID, "options", strings.Join(build.Options.Words(false), " "))
	return c.buildDetail(build)
}

// newestBuild returns the newest build of the version that the path names.
func (c *call) newestBuild() (catalog.Build, error) {
	_, version, err := c.version()
	if err != nil {
		return catalog.Build{}, err
	}
	return catalog.NewestBuild(c.r.Context(), c.server.config.Store, version)
}

func versionOf(v catalog.Version) api.Version {
	return api.Version{Version: v.Name, State: string(v.State), Date: api.Time{Time: v.CreatedAt}, Size: v.Size}
}
