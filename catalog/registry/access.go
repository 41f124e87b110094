package registry

import (
	"context"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/fandoghpaas/fandogh/catalog"
)

// mayLogIn allows what every user with a password or a token may.
func (c *call) mayLogIn() (catalog.Image, error) { return catalog.Image{}, nil }

// mayList allows users to ask which images there are for them.
func (c *call) mayList() (catalog.Image, error) {
	if c.id.Build != nil {
		return catalog.Image{}, catalog.Errorf(catalog.Forbidden, "a build's credential can't list images")
	}
	return catalog.Image{}, nil
}

// mayRead allows who may read the image.
func (c *call) mayRead() (catalog.Image, error) {
	return c.registry.image(c.req.Context(), c.id, c.vars["name"])
}

// mayPull allows who may read the image. Who may push an image that does not exist
// yet may also read what was pushed of it: clients look whether it has arrived.
func (c *call) mayPull() (catalog.Image, error) {
	image, err := c.mayRead()
	if catalog.CodeOf(err) != catalog.NotFound || c.id.Build != nil {
		return image, err
	}
	pushed, pushErr := c.registry.newImage(c.req.Context(), c.id, c.vars["name"])
	if pushErr != nil && isRead(c.req) {
		return image, err
	}
	return pushed, pushErr
}

func isRead(req *http.Request) bool {
	return req.Method == http.MethodGet || req.Method == http.MethodHead
}

// mayPush allows who may push to the image, which a push may make.
func (c *call) mayPush() (catalog.Image, error) {
	image, err := c.mayPull()
	if err != nil {
		return image, err
	}
	return image, c.pushes(image, "")
}

// mayPutManifest lets a build store its own version and the manifests it consists of,
// and a user what putManifest then looks at.
func (c *call) mayPutManifest() (catalog.Image, error) {
	image, err := c.mayPull()
	if err != nil {
		return image, err
	}
	ref := c.vars["reference"]
	if _, err := digest.Parse(ref); err == nil || c.id.Build == nil {
		return image, c.pushes(image, "")
	}
	version, err := c.registry.store.Version(c.req.Context(), image.ID, ref)
	if err == nil && version.State == catalog.Built {
		return image, catalog.Errorf(catalog.Conflict, "version %s is already built and never changes; choose another version", ref)
	}
	if err != nil && catalog.CodeOf(err) != catalog.NotFound {
		return image, err
	}
	return image, c.pushes(image, ref)
}

// mayDeleteManifest allows who may push to remove tags that move, as signatures' do, and by
// digest what no version is made of, such as what refers to one. All else goes with its version.
func (c *call) mayDeleteManifest() (catalog.Image, error) {
	image, err := c.mayPull()
	if err != nil {
		return image, err
	}
	ctx, ref := c.req.Context(), c.vars["reference"]
	if d, err := digest.Parse(ref); err == nil {
		if held, err := c.registry.holdsManifest(ctx, image.Ref, d); err != nil || !held {
			return image, orUnknown(err, aboutManifest, "image %s has no manifest %s", image.Ref, d)
		}
		if c.id.Build != nil {
			return image, errDeletesNothing
		}
		return image, c.pushes(image, "")
	}
	moves, err := c.registry.moves(ctx, image, ref)
	if err != nil {
		return image, err
	}
	if moves {
		return image, c.pushes(image, "")
	}
	if _, err := c.served(image, ref); err != nil {
		return image, err
	}
	return image, errDeletesNothing
}

// served returns the digest that the catalog recorded for a tag, or none when the storage alone
// knows it. Built versions are served only: a tag that a failed build left behind never is.
func (c *call) served(image catalog.Image, tag string) (recorded string, err error) {
	ctx := c.req.Context()
	if c.isOwn(image, tag) {
		return "", nil
	}
	if moves, err := c.registry.moves(ctx, image, tag); err != nil || moves {
		return "", err
	}
	version, err := c.registry.store.Version(ctx, image.ID, tag)
	if catalog.CodeOf(err) == catalog.NotFound || err == nil && version.State != catalog.Built {
		return "", orUnknown(nil, aboutManifest, "image %s has no built version %s", image.Ref, tag)
	}
	return version.Digest, err
}

// isOwn reports whether a tag is the version that the caller builds.
func (c *call) isOwn(image catalog.Image, tag string) bool {
	build := c.id.Build
	return build != nil && build.Image.Repository() == image.Ref.Repository() && build.Version == tag
}

// pushes refuses who may not push to an image, and a build another version than its own, if
// one is named.
func (c *call) pushes(image catalog.Image, version string) error {
	r, ctx, id := c.registry, c.req.Context(), c.id
	target := catalog.Target{Namespace: image.Ref.Namespace, Image: image.Ref.Name, Version: version}
	if id.Build == nil {
		return catalog.Authorize(ctx, r.store, id, catalog.ActionWrite, target)
	}
	err := catalog.Authorize(ctx, r.store, id, catalog.ActionPushResult, target)
	if catalog.CodeOf(err) == catalog.Forbidden {
		return catalog.Errorf(catalog.Forbidden, "this build can push only version %s of %s", id.Build.Version, id.Build.Image)
	}
	return err
}

// image returns a repository's image if the identity may read it; otherwise it
// does not exist, whatever the reason.
func (r *Registry) image(ctx context.Context, id catalog.Identity, repository string) (catalog.Image, error) {
	ref := refOf(repository)
	unknown := catalog.Errorf(catalog.NotFound, "image %s does not exist, or you have no access to it", repository)
	err := catalog.Authorize(ctx, r.store, id, catalog.ActionRead, catalog.Target{Namespace: ref.Namespace, Image: ref.Name})
	if err == nil {
		var image catalog.Image
		if image, err = r.store.Image(ctx, ref); err == nil {
			return image, nil
		}
	}
	switch catalog.CodeOf(err) {
	case catalog.NotFound, catalog.Forbidden, catalog.Invalid:
		return catalog.Image{}, unknown
	}
	return catalog.Image{}, err
}

// refOf splits a repository's name. A name that no image can have is found to be none by the look-up.
func refOf(repository string) catalog.ImageRef {
	namespace, name, _ := strings.Cut(repository, "/")
	return catalog.ImageRef{Namespace: namespace, Name: name}
}

// newImage stands for an image that a push is about to make. Errors: NotFound
// for who may not know the namespace, Forbidden, Invalid.
func (r *Registry) newImage(ctx context.Context, id catalog.Identity, repository string) (catalog.Image, error) {
	ref := refOf(repository)
	if err := ref.Validate(); err != nil {
		return catalog.Image{}, err
	}
	if err := catalog.Authorize(ctx, r.store, id, catalog.ActionWrite, catalog.Target{Namespace: ref.Namespace, Image: ref.Name}); err != nil {
		return catalog.Image{}, err
	}
	return catalog.Image{Ref: ref}, nil
}
