package hooks

import (
	"context"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// PreReceive implements catalog.PostReceiver.
func (h *Hooks) PreReceive(ctx context.Context, push catalog.Push) map[string]error {
	refused := map[string]error{}
	wholesale := push.ManyTags && push.Options.Build.IsZero() // as git push --tags
	for _, u := range push.Updates {
		if tag, ok := u.Tag(); ok {
			h.markArriving(push.Image.Ref, tag)
		}
		if err := h.check(ctx, push.Image, u, wholesale); err != nil {
			refused[u.Name] = err
		}
	}
	return refused
}

func (h *Hooks) markArriving(image catalog.ImageRef, tag string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := tagKey{image.Repository(), tag}
	if h.arriving != nil {
		h.arriving[key] = true
	}
	if u, ok := h.unqueued[key]; ok {
		u.touched = time.Now()
		h.unqueued[key] = u
	}
}

// check says why an update can't be, nil when it can.
func (h *Hooks) check(ctx context.Context, image catalog.Image, u catalog.RefUpdate, wholesale bool) error {
	tag, ok := u.Tag()
	if !ok {
		return nil // stored, whatever it is: only tags are built
	}
	v, err := h.config.Store.Version(ctx, image.ID, tag)
	known := err == nil
	if err != nil && catalog.CodeOf(err) != catalog.NotFound {
		h.config.Logger.Error("failed to look up a pushed version", "image", image.Ref, "tag", tag, "error", err)
		return catalog.Wrap(catalog.Unavailable, err, "the catalog is not responding; push again in a moment")
	}
	switch {
	case u.New == "" && known:
		return catalog.Errorf(catalog.Forbidden, "a version can't be deleted by a push; delete it and its tag with DELETE /api/images/%s/versions/%s", image.Ref.Name, tag)
	case u.New == "":
		return nil
	case u.Commit == "":
		return catalog.Errorf(catalog.Invalid, "tag %s does not point to a commit; tag a commit to build it", tag)
	}
	if err := catalog.ValidateVersion(tag); err != nil {
		return err
	}
	if known && wholesale && v.State == catalog.BuildFailed && v.Commit == u.Commit {
		return catalog.Errorf(catalog.Conflict, "not built: it failed from this commit before; push this tag alone to try again")
	}
	if known {
		return checkVersion(image, v, u)
	}
	return nil
}

// checkVersion says whether a tag may be set for a version that exists.
func checkVersion(image catalog.Image, v catalog.Version, u catalog.RefUpdate) error {
	switch {
	case v.State == catalog.Built && v.Commit == u.Commit && u.Old == "":
		return nil // puts back the tag of a version that a rebuild made
	case v.State == catalog.Built:
		return catalog.Errorf(catalog.Conflict, "version %s is already built and never changes; push a new tag, or delete the version first with DELETE /api/images/%s/versions/%s", v.Name, image.Ref.Name, v.Name)
	case !v.State.Ended() && v.Commit != u.Commit:
		return catalog.Errorf(catalog.Conflict, "version %s is being built from another commit (%.7s); wait for it or cancel it, or push a new tag", v.Name, v.Commit)
	}
	return nil
}
