package hooks

import (
	"context"

	"github.com/fandoghpaas/fandogh/catalog"
)

// PreReceive implements catalog.PostReceiver.
func (h *Hooks) PreReceive(ctx context.Context, push catalog.Push) map[string]error {
	refused := map[string]error{}
	for _, u := range push.Updates {
		if tag, ok := u.Tag(); ok {
			h.markArriving(push.Image.Ref, tag)
		}
		if err := h.judge(ctx, push.Image, u); err != nil {
			refused[u.Name] = err
		}
	}
	return refused
}

func (h *Hooks) markArriving(image catalog.ImageRef, tag string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.arriving != nil {
		h.arriving[tagKey{image.Repository(), tag}] = true
	}
}

// judge says why an update can't be, nil when it can.
func (h *Hooks) judge(ctx context.Context, image catalog.Image, u catalog.RefUpdate) error {
	if _, ok := u.Branch(); ok {
		return nil
	}
	tag, ok := u.Tag()
	if !ok {
		return catalog.Errorf(catalog.Invalid, "only branches and tags are stored; push to refs/heads/ or refs/tags/")
	}
	v, err := h.Store.Version(ctx, image.ID, tag)
	known := err == nil
	if err != nil && catalog.CodeOf(err) != catalog.NotFound {
		h.Logger.Error("look up a pushed version", "image", image.Ref, "tag", tag, "error", err)
		return catalog.Wrap(catalog.Unavailable, err, "the catalog does not answer; push again in a moment")
	}
	switch {
	case u.New == "" && known:
		return catalog.Errorf(catalog.Forbidden, "a version is not deleted by a push; delete it with DELETE /api/images/%s/versions/%s, its tag goes with it", image.Ref.Name, tag)
	case u.New == "":
		return nil
	case u.Commit == "":
		return catalog.Errorf(catalog.Invalid, "tag %s is no commit; tag a commit to build it", tag)
	}
	if err := catalog.ValidateVersion(tag); err != nil {
		return err
	}
	if known {
		return judgeVersion(image, v, u)
	}
	return nil
}

// judgeVersion says whether a tag may be set for a version that exists.
func judgeVersion(image catalog.Image, v catalog.Version, u catalog.RefUpdate) error {
	switch {
	case v.State == catalog.Built && v.Commit == u.Commit && u.Old == "":
		return nil // puts back the tag of a version that a rebuild made
	case v.State == catalog.Built:
		return catalog.Errorf(catalog.Conflict, "version %s is built and never changes; push a new tag, or delete the version first with DELETE /api/images/%s/versions/%s", v.Name, image.Ref.Name, v.Name)
	case !v.State.Ended() && v.Commit != u.Commit:
		return catalog.Errorf(catalog.Conflict, "version %s is being built from another commit (%.7s); wait for it or cancel it, or push a new tag", v.Name, v.Commit)
	}
	return nil
}
