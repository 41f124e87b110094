package main

import (
	"context"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/quota"
	"github.com/fandoghpaas/fandogh/internal/backup"
)

var _ catalog.TransferControl = (*remover)(nil)

// Transfer implements catalog.TransferControl.
func (r *remover) Transfer(ctx context.Context, image catalog.Image, namespace string) ([]catalog.Move, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	done, err := mayMove(r.daemon.config.Data)
	if err != nil {
		return nil, err
	}
	defer done()
	moves, err := transferRows(ctx, r.daemon.store, r.daemon.quota, image, namespace)
	if err == nil {
		r.move(context.WithoutCancel(ctx))
	}
	return moves, err
}

// mayMove asks whether files may be moved now. Errors: Unavailable.
func mayMove(data string) (done func(), err error) {
	done, err = backup.Removing(data)
	if catalog.CodeOf(err) == catalog.Unavailable {
		err = catalog.Wrap(catalog.Unavailable, err, "a backup or a check is running, and no image is transferred until it ends; try again then")
	}
	return done, err
}

// transferRows gives an image to another namespace, in the catalog. Its files are the remover's to move.
func transferRows(ctx context.Context, store catalog.Transfers, q *quota.Service, image catalog.Image, namespace string) ([]catalog.Move, error) {
	all, err := store.TransferredWith(ctx, image.ID)
	if err == nil {
		err = q.AdmitTransfer(ctx, all, namespace)
	}
	if err != nil {
		return nil, err
	}
	return store.TransferImage(ctx, image, namespace)
}

// move moves the files of transferred images, and returns which images it could not. The caller holds the lock, and no backup runs.
func (r *remover) move(ctx context.Context) (waiting map[int64]bool) {
	moves, err := r.daemon.store.Moves(ctx)
	if err != nil {
		r.daemon.log.Error("failed to look up what to move", "error", err)
	}
	waiting = map[int64]bool{}
	for _, m := range moves {
		if err := r.moveImage(ctx, m); err != nil {
			waiting[m.ImageID] = true
			r.daemon.log.Error("failed to move the files of a transferred image; it will be retried", "from", m.From, "to", m.To, "error", err)
		}
	}
	if len(moves) > 0 {
		r.daemon.builder.Wake() // builds waited for this
	}
	return waiting
}
