package sqlite

import (
	"context"
	"database/sql"

	"github.com/fandoghpaas/fandogh/catalog"
)

const selectTombstones = `SELECT image_id, version, commit_id, digest, reason, at FROM tombstones WHERE image_id = ?`

func scanTombstone(row scanner) (t catalog.Tombstone, err error) {
	return t, row.Scan(&t.ImageID, &t.Version, &t.Commit, &t.Digest, &t.Reason, timeColumn{&t.At})
}

func errNoTombstone(version string) *catalog.Error {
	return catalog.Errorf(catalog.NotFound, "no version %q was deleted", version)
}

func tombstone(ctx context.Context, q querier, imageID int64, version string) (catalog.Tombstone, error) {
	return one(ctx, q, scanTombstone, errNoTombstone(version), selectTombstones+` AND version = ?`, imageID, version)
}

// Tombstone returns that of a version's name.
func (s *Store) Tombstone(ctx context.Context, imageID int64, version string) (catalog.Tombstone, error) {
	return tombstone(ctx, s.r, imageID, version)
}

// ListTombstones returns those of an image by name.
func (s *Store) ListTombstones(ctx context.Context, imageID int64) ([]catalog.Tombstone, error) {
	return all(ctx, s.r, scanTombstone, selectTombstones+` ORDER BY version`, imageID)
}

// LiftTombstone frees a version's name.
func (s *Store) LiftTombstone(ctx context.Context, imageID int64, version string) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM tombstones WHERE image_id = ? AND version = ?`, imageID, version)
		return touched(result, err, errNoTombstone(version))
	})
}

// leaveTombstone keeps the name of a version that goes, if it was built.
func (s *Store) leaveTombstone(ctx context.Context, tx *sql.Tx, versionID int64, reason string) error {
	_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO tombstones (image_id, version, commit_id, digest, reason, at)
		SELECT image_id, name, commit_id, digest, ?, ? FROM versions WHERE id = ? AND state = ?`, reason, toMicros(s.now()), versionID, catalog.Built)
	return err
}

// checkTombstone has check decide about a name that is kept, if it is.
func checkTombstone(ctx context.Context, tx *sql.Tx, imageID int64, version string, check func(catalog.Tombstone) error) error {
	t, err := tombstone(ctx, tx, imageID, version)
	if catalog.CodeOf(err) == catalog.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return check(t)
}

// takeTombstone gives a kept name back to the image that it was of, and refuses any other.
func takeTombstone(ctx context.Context, tx *sql.Tx, imageID int64, version, digest string) error {
	err := checkTombstone(ctx, tx, imageID, version, func(t catalog.Tombstone) error { return t.CheckDigest(digest) })
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM tombstones WHERE image_id = ? AND version = ?`, imageID, version)
	return err
}
