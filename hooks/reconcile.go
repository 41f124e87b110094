package hooks

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Reconcile makes the repositories' tags and the catalog's versions agree after
// a crash: a tag without a version is queued, a tag whose version was not built
// is withdrawn, a repository without an image is set aside. Call it once at start; pushes may arrive meanwhile. A repository
// it can't mend does not keep it from the others; all errors are returned.
func (h *Hooks) Reconcile(ctx context.Context) error {
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.arriving = nil
	}()
	repositories, err := h.config.Sources.Repositories(ctx)
	if err != nil {
		return fmt.Errorf("list repositories: %w", err)
	}
	var errs []error
	for _, ref := range repositories {
		if err := h.reconcileImage(ctx, ref); err != nil {
			errs = append(errs, fmt.Errorf("reconcile %s: %w", ref, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

func (h *Hooks) reconcileImage(ctx context.Context, ref catalog.ImageRef) error {
	image, err := h.config.Store.Image(ctx, ref)
	if catalog.CodeOf(err) == catalog.NotFound {
		// The next owner of the name must not find it.
		path, err := h.config.Sources.SetAside(ctx, ref)
		if err == nil {
			h.config.Logger.Warn("a repository has no image in the catalog; it is set aside for a month. To use it again, create the image and move the repository back", "repository", ref, "path", path)
		}
		return err
	}
	if err != nil {
		return err
	}
	tags, err := h.config.Sources.Tags(ctx, ref)
	if err != nil {
		return err
	}
	var errs []error
	for _, tag := range tags {
		if err := h.reconcileTag(ctx, image, tag); err != nil {
			errs = append(errs, fmt.Errorf("tag %s: %w", tag.Name, err))
		}
	}
	return errors.Join(errs...)
}

// reconcileTag checks one tag. It holds the lock that an arriving tag needs, so
// a push is either seen here or comes after.
func (h *Hooks) reconcileTag(ctx context.Context, image catalog.Image, tag catalog.TagRef) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if tag.Stored || h.arriving[tagKey{image.Ref.Repository(), tag.Name}] {
		return nil
	}
	logger := h.config.Logger.With("image", image.Ref, "tag", tag.Name, "commit", tag.Commit)
	versions, err := h.config.Store.TagVersions(ctx, image.ID, tag.Name)
	switch {
	case err != nil:
		return err
	case Live(versions, tag.Commit):
		return nil
	case Live(versions, ""):
		// A push that lost a race was cut short before its tag was put back.
		logger.Warn("withdrawing a tag that does not point to the commit of its version")
		return h.config.Sources.WithdrawTag(ctx, image.Ref, tag.Name, tag.Commit)
	case slices.ContainsFunc(versions, func(v catalog.Version) bool { return v.Commit == tag.Commit }):
		logger.Info("withdrawing the tag of a version that was not built")
		if err := h.config.Sources.Keep(ctx, image.Ref, tag.Object); err != nil {
			return err
		}
		return h.config.Sources.WithdrawTag(ctx, image.Ref, tag.Name, tag.Commit)
	}
	// The push that set or moved the tag was cut short before its builds were queued.
	return h.adopt(ctx, image, tag)
}

// adopt queues the builds that a push was about to queue. Its push options are
// lost with it.
func (h *Hooks) adopt(ctx context.Context, image catalog.Image, tag catalog.TagRef) error {
	builds, err := h.Builds(ctx, Tagged{
		Image: image, Tag: tag.Name, Commit: tag.Commit, Trigger: catalog.TriggerPush, TagObject: tag.Annotated(), UserID: image.OwnerID,
	})
	switch code := catalog.CodeOf(err); {
	case code == catalog.Invalid || code == catalog.Conflict || code == catalog.Forbidden:
		h.config.Logger.Warn("a tag can't be built; ignoring it", "image", image.Ref, "tag", tag.Name, "error", err)
		return nil
	case err != nil:
		return err
	case len(builds) == 0:
		return h.config.Sources.Store(ctx, image.Ref, map[string]bool{tag.Name: true})
	}
	h.config.Logger.Info("queueing a tag whose push was interrupted", "image", image.Ref, "tag", tag.Name, "commit", tag.Commit)
	_, err = h.config.Submitter.Submit(ctx, NewBuilds(builds))
	if catalog.CodeOf(err) != catalog.Forbidden {
		return err
	}
	h.config.Logger.Warn("withdrawing a tag whose push was interrupted", "image", image.Ref, "tag", tag.Name, "error", err)
	if err := h.config.Sources.Keep(ctx, image.Ref, tag.Object); err != nil {
		return err
	}
	return h.config.Sources.WithdrawTag(ctx, image.Ref, tag.Name, tag.Commit)
}
