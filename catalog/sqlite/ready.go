package sqlite

import (
	"context"
	"database/sql"

	"github.com/fandoghpaas/fandogh/catalog"
)

// RecordVersion makes a version BUILT at once.
func (s *Store) RecordVersion(ctx context.Context, r catalog.ReadyVersion) (catalog.Version, error) {
	if err := catalog.ValidateVersion(r.Version); err != nil {
		return catalog.Version{}, err
	}
	if r.Digest == "" {
		return catalog.Version{}, catalog.FieldErrorf("digest", "a built version has a digest")
	}
	return writeFor(ctx, s, func(tx *sql.Tx) (catalog.Version, error) {
		v, err := scanVersion(tx.QueryRowContext(ctx, selectVersionByName, r.ImageID, r.Version))
		if err == nil && v.State == catalog.Built && v.Digest == r.Digest {
			return v, nil
		}
		if err := takeTombstone(ctx, tx, r.ImageID, r.Version, r.Digest); err != nil {
			return catalog.Version{}, err
		}
		if err := s.recordReady(ctx, tx, r); err != nil {
			return catalog.Version{}, err
		}
		return scanVersion(tx.QueryRowContext(ctx, selectVersionByName, r.ImageID, r.Version))
	})
}

// recordReady goes the way of a build, without a worker.
func (s *Store) recordReady(ctx context.Context, tx *sql.Tx, r catalog.ReadyVersion) error {
	queued, err := s.queueBuild(ctx, tx, catalog.NewBuild{ImageID: r.ImageID, Version: r.Version, Trigger: r.Trigger, UserID: r.UserID})
	if err != nil {
		return err
	}
	b := queued.Build
	b.StartedAt, b.Attempts = r.At, 1
	if err := enter(ctx, tx, &b, catalog.Building); err != nil {
		return err
	}
	b.Outcome, b.EndedAt = catalog.OutcomeBuilt, r.At
	if _, err := tx.ExecContext(ctx, `UPDATE versions SET digest = ?, size = ? WHERE id = ?`, r.Digest, r.Size, b.VersionID); err != nil {
		return err
	}
	if err := end(ctx, tx, &b); err != nil {
		return err
	}
	return s.recordBuild(ctx, tx, catalog.EventBuildFinished, b.ID)
}
