package builder

import (
	"context"

	"github.com/fandoghpaas/fandogh/catalog"
)

// CancelWaiting takes a build off the queue if it has not begun, and tells
// whether it did. Errors: NotFound.
func (b *Builder) CancelWaiting(ctx context.Context, buildID int64) (bool, error) {
	return b.cancel(ctx, buildID, func(build catalog.Build) bool { return build.State == catalog.Pending })
}
