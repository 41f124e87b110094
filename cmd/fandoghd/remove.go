package main

import (
	"context"
	"errors"

	"github.com/fandoghpaas/fandogh/catalog"
)

// remover deletes what stands behind an image or version whose rows are gone.
type remover struct{ *daemon }

func (r remover) RemoveImage(ctx context.Context, ref catalog.ImageRef, buildIDs []int64) error {
	return errors.Join(
		r.registry.DeleteImage(ctx, ref),
		r.repos.Delete(ctx, ref),
		r.builder.RemoveLogs(buildIDs),
	)
}

func (r remover) RemoveVersion(ctx context.Context, ref catalog.ImageRef, v catalog.Version, buildIDs []int64) error {
	// The tag first: one that is left would be built again at the next start.
	return errors.Join(
		r.repos.WithdrawTag(ctx, ref, v.Name, v.Commit),
		r.registry.DeleteVersion(ctx, ref, v.Name),
		r.builder.RemoveLogs(buildIDs),
	)
}
