package repository

import (
	"context"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Maintain merges a repository's packs when there are many, or much is stored twice: every push leaves one. It is for
// after a push; what fails here is tried again after the next. At most one repository is maintained at a time.
func (r *Repositories) Maintain(ctx context.Context, ref catalog.ImageRef) {
	if !r.maintaining.TryLock() {
		return
	}
	defer r.maintaining.Unlock()
	done, err := r.mayRemove()
	if err != nil {
		r.log.Debug("a repository is not optimized now", "repository", ref, "error", err)
		return
	}
	defer done()
	err = r.mergePacks(ctx, ref)
	if err != nil && ctx.Err() == nil {
		r.log.Error("failed to optimize a repository", "repository", ref, "error", err)
	}
}

// mayRemove asks whether something may be removed for good now.
func (r *Repositories) mayRemove() (done func(), err error) {
	if r.removing == nil {
		return func() {}, nil
	}
	return r.removing()
}

func (r *Repositories) mergePacks(ctx context.Context, ref catalog.ImageRef) error {
	q, err := r.NewQuarantine(ref)
	if err != nil {
		return err
	}
	defer q.discard()
	if merged, err := q.merge(ctx); !merged || err != nil {
		return err
	}
	return q.Enter(ctx.Err, q.Install)
}
