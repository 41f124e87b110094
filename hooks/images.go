package hooks

import (
	"context"
	"slices"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Tagged is a tag whose commit is to be built.
type Tagged struct {
	Image   catalog.Image // whose repository it is in
	Tag     string
	Commit  string
	Trigger catalog.Trigger
	// TagObject and Signature are as in catalog.NewBuild.
	TagObject string
	Signature catalog.TagSignature
	UserID    int64
	Options   catalog.BuildOptions
}

// ImageBuild is a build of one of the images that a tag is built as.
type ImageBuild struct {
	catalog.NewBuild
	Image catalog.Image
	Built bool   // of the tag's commit already: nothing is to be done
	Name  string // for people: the version's, with its image where the tag alone does not tell them
}

// Builds returns what a tag asks for: a build of each image that its commit lists and the tag names, which is made where there is none.
// There are none when the tag is of something else in the repository. What a configuration that can't be read
// says, its build tells. Errors: Invalid (tag, options), Conflict (an image has other sources), Forbidden (too many images).
func (h *Hooks) Builds(ctx context.Context, t Tagged) ([]ImageBuild, error) {
	prospect, err := h.prospect(ctx, t.Image.Ref, t.Commit, t.Options)
	if code := catalog.CodeOf(err); err != nil && code != catalog.Invalid && code != catalog.NotFound {
		return nil, err
	}
	return h.builds(ctx, t, prospect)
}

func (h *Hooks) builds(ctx context.Context, t Tagged, prospect catalog.Prospect) ([]ImageBuild, error) {
	listed := prospect.Images
	if t.Options.Branch != "" { // it has no tag of anybody's
		listed = slices.Clone(listed)
		for i := range listed {
			listed[i].TagPrefix = ""
		}
	}
	entries, version, err := catalog.EntriesOfTag(t.Tag, t.Image.Ref.Name, listed)
	if err != nil {
		return nil, err
	}
	if len(prospect.Images) > 0 && t.Trigger == catalog.TriggerGitHub {
		t.Options.Context = "" // the connection's is that of a repository with one image
	}
	if o := t.Options; len(entries) > 1 && (o.Context != "" || o.Dockerfile != "" || o.Target != "") {
		return nil, catalog.Errorf(catalog.Invalid, "the options context, dockerfile and target are of one image, and %s builds %s; push a tag that names one, or set them in .fandogh/config.yml", t.Tag, Listed(entries))
	}
	images, err := h.imagesFor(ctx, t, entries)
	if err != nil {
		return nil, err
	}
	var builds []ImageBuild
	for _, image := range images {
		b := ImageBuild{Image: image, Name: version, NewBuild: catalog.NewBuild{
			ImageID: image.ID, SourceID: image.SourceID, Version: version, Tag: t.Tag, Trigger: t.Trigger, Commit: t.Commit,
			TagObject: t.TagObject, Signature: t.Signature, UserID: t.UserID, Options: t.Options,
		}}
		if len(prospect.Images) > 0 || version != t.Tag {
			b.Name = image.Ref.Name + ":" + version
		}
		if b.Built, err = h.isBuilt(ctx, b); err != nil {
			return nil, err
		}
		builds = append(builds, b)
	}
	return builds, nil
}

// Listed names images for people.
func Listed(entries []catalog.ImageEntry) string {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	return strings.Join(names, ", ")
}

// imagesFor returns the images of entries, which are built from the tag's repository. Those that are not there are made, unless
// another of them can't be had.
func (h *Hooks) imagesFor(ctx context.Context, t Tagged, entries []catalog.ImageEntry) ([]catalog.Image, error) {
	images := make([]catalog.Image, len(entries))
	for i, e := range entries {
		var err error
		if images[i], err = h.imageOf(ctx, t, e.Name); err != nil && catalog.CodeOf(err) != catalog.NotFound {
			return nil, err
		}
	}
	for i, e := range entries {
		if images[i].ID != 0 {
			continue
		}
		ref := catalog.ImageRef{Namespace: t.Image.Ref.Namespace, Name: e.Name}
		image, err := h.config.Store.CreateImage(ctx, catalog.NewImage{Ref: ref, OwnerID: t.UserID, SourceID: t.Image.ID})
		if catalog.CodeOf(err) == catalog.Conflict { // another push was faster
			image, err = h.imageOf(ctx, t, e.Name)
		}
		if err != nil {
			return nil, err
		}
		images[i] = image
	}
	return images, nil
}

// imageOf returns the image of a name that is built from the tag's repository. Errors: NotFound, Conflict (it is built from another).
func (h *Hooks) imageOf(ctx context.Context, t Tagged, name string) (catalog.Image, error) {
	if strings.EqualFold(name, t.Image.Ref.Name) {
		return t.Image, nil
	}
	image, err := h.config.Store.Image(ctx, catalog.ImageRef{Namespace: t.Image.Ref.Namespace, Name: name})
	switch {
	case err != nil:
		return image, err
	case image.SourceID == image.ID:
		return image, catalog.Errorf(catalog.Conflict, "image %s has a repository of its own, so %s can't build it; list another name in .fandogh/config.yml, or delete that image with all its versions and its repository by DELETE /api/images/%s", image.Ref, t.Image.Ref, image.Ref.Name)
	case image.SourceID != t.Image.ID:
		return image, catalog.Errorf(catalog.Conflict, "image %s is built from the repository of %s, so %s can't build it; list another name in .fandogh/config.yml", image.Ref, image.Source, t.Image.Ref)
	}
	return image, nil
}

// isBuilt reports whether the version that a build would make is built of its tag.
func (h *Hooks) isBuilt(ctx context.Context, b ImageBuild) (bool, error) {
	v, err := h.config.Store.Version(ctx, b.ImageID, b.Version)
	if catalog.CodeOf(err) == catalog.NotFound {
		return false, nil
	}
	return err == nil && v.State == catalog.Built && v.Commit == b.Commit && v.Tag == b.Tag, err
}

// NewBuilds are those that are not built yet.
func NewBuilds(builds []ImageBuild) (wanted []catalog.NewBuild) {
	for _, b := range builds {
		if !b.Built {
			wanted = append(wanted, b.NewBuild)
		}
	}
	return wanted
}

// Live reports whether one of a tag's versions is built or being built, of a commit; "": of any.
func Live(versions []catalog.Version, commit string) bool {
	return slices.ContainsFunc(versions, func(v catalog.Version) bool {
		return v.State.HoldsTag() && (commit == "" || v.Commit == commit)
	})
}
