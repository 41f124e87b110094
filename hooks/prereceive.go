package hooks

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// PreReceive implements catalog.PostReceiver.
func (h *Hooks) PreReceive(ctx context.Context, push catalog.Push) map[string]error {
	refused := map[string]error{}
	var more catalog.Amounts
	wholesale := push.ManyTags && push.Options.Build.IsZero() // as git push --tags
	for _, u := range push.Updates {
		if tag, ok := u.Tag(); ok {
			h.markArriving(push.Image.Ref, tag)
		}
		err := h.check(ctx, push.Image, u, wholesale)
		if err == nil {
			more, err = h.admit(ctx, push.Image, u, more)
		}
		if err != nil {
			refused[u.Name] = err
		}
	}
	return refused
}

// admit asks whether there may be what a tag asks for, beside more, which it returns with that added. What comes of branches, or of tags of
// several images, the store refuses.
func (h *Hooks) admit(ctx context.Context, image catalog.Image, u catalog.RefUpdate, more catalog.Amounts) (catalog.Amounts, error) {
	tag, isTag := u.Tag()
	if !isTag || u.New == "" || h.config.Admission == nil {
		return more, nil
	}
	versions, err := h.config.Store.TagVersions(ctx, image.ID, tag)
	if err != nil {
		return more, h.noAnswer(err, image, tag)
	}
	with := more
	switch {
	case Live(versions, u.Commit):
		return more, nil // nothing is asked for anew
	case len(versions) == 0:
		with.Versions++
	}
	with.Builds++
	if err := catalog.Admit(ctx, h.config.Admission, image.Ref.Namespace, with); err != nil {
		return more, err
	}
	return with, nil
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
	versions, err := h.config.Store.TagVersions(ctx, image.ID, tag)
	if err != nil {
		return h.noAnswer(err, image, tag)
	}
	switch {
	case u.New == "" && len(versions) > 0:
		return catalog.Errorf(catalog.Forbidden, "a version can't be deleted by a push; delete it and its tag with %s", h.deletion(ctx, versions[0]))
	case u.New == "":
		return nil
	case u.Commit == "":
		return catalog.Errorf(catalog.Invalid, "tag %s does not point to a commit; tag a commit to build it", tag)
	}
	if err := h.checkName(ctx, image, tag, u.Commit); err != nil {
		return err
	}
	if err := h.checkSigned(ctx, image, tag, u); err != nil {
		return err
	}
	for _, v := range versions {
		if wholesale && v.State == catalog.BuildFailed && v.Commit == u.Commit {
			return catalog.Errorf(catalog.Conflict, "not built: it failed from this commit before; push this tag alone to try again")
		}
		if err := h.checkVersion(v, u); err != nil {
			return err
		}
	}
	return nil
}

// checkSigned refuses what the image does not take by Image.SignedTags. The store decides when the build is queued; this
// is so that no ref moves.
func (h *Hooks) checkSigned(ctx context.Context, image catalog.Image, tag string, u catalog.RefUpdate) error {
	if !image.NeedsSignedTags() {
		return nil
	}
	n := catalog.NewBuild{Tag: tag, TagObject: u.Annotated(), Signature: u.Signature}
	if n.TagObject != "" && n.Signature == (catalog.TagSignature{}) && h.config.Tags != nil {
		var err error
		if n.Signature, err = catalog.VerifyTagOf(ctx, h.config.Tags, h.config.Sources, image.Ref, tag, n.TagObject); err != nil {
			return err
		}
	}
	return n.CheckSignedTag(image.Ref)
}

func (h *Hooks) noAnswer(err error, image catalog.Image, tag string) error {
	h.config.Logger.Error("failed to look up a pushed version", "image", image.Ref, "tag", tag, "error", err)
	return catalog.Wrap(catalog.Unavailable, err, "the catalog is not responding; push again in a moment")
}

// checkName says why a tag of a commit names no version, or the one of another tag, or one that was deleted and was of another commit.
func (h *Hooks) checkName(ctx context.Context, image catalog.Image, tag, commit string) error {
	name, version, err := catalog.SplitTag(tag)
	if err != nil || name != "" {
		return err
	}
	v, err := h.config.Store.Version(ctx, image.ID, version)
	switch {
	case catalog.CodeOf(err) == catalog.NotFound:
		deleted, err := h.deleted(ctx, image.ID, version)
		switch {
		case err != nil:
			return h.noAnswer(err, image, tag)
		case deleted != nil:
			return deleted.CheckBuild(commit)
		}
		return nil
	case err != nil:
		return h.noAnswer(err, image, tag)
	case v.Tag != tag && strings.ReplaceAll(v.Tag, "+", "_") == version && v.State.HoldsTag():
		return catalog.TagTaken(tag, v)
	}
	return nil
}

// deleted returns what a version left that was deleted, nil when there was none.
func (h *Hooks) deleted(ctx context.Context, imageID int64, version string) (*catalog.Tombstone, error) {
	t, err := h.config.Store.Tombstone(ctx, imageID, version)
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &t, nil
}

// deletion is how to delete a version.
func (h *Hooks) deletion(ctx context.Context, v catalog.Version) string {
	name := "NAME"
	if image, err := h.config.Store.ImageByID(ctx, v.ImageID); err == nil {
		name = image.Ref.Name
	}
	return fmt.Sprintf("DELETE /api/images/%s/versions/%s", name, v.Name)
}

// checkVersion says whether a tag may be set for a version that exists.
func (h *Hooks) checkVersion(v catalog.Version, u catalog.RefUpdate) error {
	switch {
	case v.State == catalog.Built && v.Commit == u.Commit && u.Old == "":
		return nil // puts back the tag of a version that a rebuild made
	case v.State == catalog.Built:
		return catalog.Errorf(catalog.Conflict, "version %s is already built and never changes; push a new tag", v.Name)
	case !v.State.Ended() && v.Commit != u.Commit:
		return catalog.Errorf(catalog.Conflict, "version %s is being built from another commit (%.7s); wait for it or cancel it, or push a new tag", v.Name, v.Commit)
	}
	return nil
}
