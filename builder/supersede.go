package builder

import (
	"context"

	"github.com/fandoghpaas/fandogh/catalog"
)

// CancelWaiting takes a build off the queue if it has not begun, and tells
// whether it did. Errors: NotFound.
func (b *Builder) CancelWaiting(ctx context.Context, buildID int64) (bool, error) {
	b.queue.Lock()
	defer b.queue.Unlock()
	build, err := b.store.Build(ctx, buildID)
	if err != nil || build.State != catalog.Pending {
		return false, err
	}
	if build, err = b.store.CancelBuild(ctx, buildID, b.now()); err != nil {
		return false, err
	}
	b.endWaiting(context.WithoutCancel(ctx), build)
	return true, nil
}
