package hooks

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

func (h *Hooks) noteUnqueued(image catalog.Image, tag, commit string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unqueued[tagKey{image.Ref.Repository(), tag}] = unqueuedTag{image: image, commit: commit, touched: time.Now()}
}

func (h *Hooks) forgetUnqueued(image catalog.Image, tag string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.unqueued, tagKey{image.Ref.Repository(), tag})
}

// unqueuedOf returns an image's tags that should be gone, with their commits.
func (h *Hooks) unqueuedOf(image catalog.Image) map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	tags := map[string]string{}
	for key, u := range h.unqueued {
		if key.repository == image.Ref.Repository() {
			tags[key.tag] = u.commit
		}
	}
	return tags
}

// WithdrawUnqueued takes back tags whose builds could not be queued, as their pushers were told,
// where that failed at the time; a full disk makes both fail. Tags that came again after before
// are left to that push. Call it now and then.
func (h *Hooks) WithdrawUnqueued(ctx context.Context, before time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	for key, u := range maps.Clone(h.unqueued) {
		if u.touched.After(before) {
			continue
		}
		err := h.withdrawUnqueued(ctx, key.tag, u)
		if err == nil {
			delete(h.unqueued, key)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (h *Hooks) withdrawUnqueued(ctx context.Context, tag string, u unqueuedTag) error {
	versions, err := h.config.Store.TagVersions(ctx, u.image.ID, tag)
	if err != nil || len(versions) > 0 {
		return err // there are versions: the tag is theirs
	}
	return h.config.Sources.WithdrawTag(ctx, u.image.Ref, tag, u.commit)
}
