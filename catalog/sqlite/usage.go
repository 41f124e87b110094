package sqlite

import (
	"context"
	"database/sql"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	selectUnmeasured = `SELECT ` + versionColumns + ` FROM versions INDEXED BY versions_unmeasured
		WHERE image_id IN (SELECT id FROM images WHERE namespace_id = ?) AND state = 'BUILT' AND measured = 0 LIMIT ?`
	selectContents = `SELECT version_blobs.image_id, version_blobs.digest, max(version_blobs.size)
		FROM images JOIN version_blobs ON version_blobs.image_id = images.id WHERE images.namespace_id = ? GROUP BY images.id, version_blobs.digest`
	selectLFSContents = `SELECT lfs_objects.image_id, 'sha256:' || lfs_objects.oid, (lfs_objects.size + 4095) / 4096 * 4096
		FROM images JOIN lfs_objects ON lfs_objects.image_id = images.id WHERE images.namespace_id = ?`
	selectLogs = `SELECT images.id, builds.id FROM images JOIN versions ON versions.image_id = images.id JOIN builds ON builds.version_id = versions.id
		WHERE images.namespace_id = ? AND builds.log_removed_at = 0 AND builds.trigger_kind <> 'registry'`
	countVersions = `SELECT images.id, (SELECT count(*) FROM versions WHERE image_id = images.id) FROM images WHERE namespace_id = ?`
	// countBuilds counts events, which outlive what they tell of.
	countBuilds = `SELECT count(*) FROM events WHERE namespace = (SELECT name FROM namespaces WHERE id = ?1) AND id >= coalesce((SELECT id FROM events WHERE at >= ?2 ORDER BY at LIMIT 1), 1 << 62)
		AND kind = 'build.queued' AND trigger_kind <> 'registry' AND namespace_id = ?1`
)

// ListUnmeasured returns built versions whose contents are not known yet.
func (s *Store) ListUnmeasured(ctx context.Context, namespaceID int64, limit int) ([]catalog.Version, error) {
	return all(ctx, s.r, scanVersion, selectUnmeasured, namespaceID, limit)
}

// SetContents stores what built versions need.
func (s *Store) SetContents(ctx context.Context, contents map[int64]map[string]int64) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		for versionID, needs := range contents {
			if _, err := tx.ExecContext(ctx, `DELETE FROM version_blobs WHERE version_id = ?`, versionID); err != nil {
				return err
			}
			for digest, size := range needs {
				_, err := tx.ExecContext(ctx, `INSERT INTO version_blobs (image_id, digest, version_id, size) SELECT image_id, ?, id, ? FROM versions WHERE id = ?`, digest, size, versionID)
				if err != nil {
					return err
				}
			}
			if _, err := tx.ExecContext(ctx, `UPDATE versions SET measured = 1 WHERE id = ?`, versionID); err != nil {
				return err
			}
		}
		return nil
	})
}

const forgetContents = `UPDATE versions SET measured = 0 WHERE id IN (SELECT version_id FROM version_blobs WHERE image_id = ? AND digest = ?)`

// ForgetContents has versions measured again.
func (s *Store) ForgetContents(ctx context.Context, imageID int64, digest string) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, forgetContents, imageID, digest)
		return err
	})
}

// ListContents returns what the images of a namespace need of the registry.
func (s *Store) ListContents(ctx context.Context, namespaceID int64) ([]catalog.Content, error) {
	scan := func(row scanner) (c catalog.Content, err error) {
		return c, row.Scan(&c.ImageID, &c.Digest, &c.Bytes)
	}
	blobs, err := all(ctx, s.r, scan, selectContents, namespaceID)
	if err != nil {
		return nil, err
	}
	objects, err := all(ctx, s.r, scan, selectLFSContents, namespaceID)
	return append(blobs, objects...), err
}

// ListLogs returns the logs of a namespace's builds.
func (s *Store) ListLogs(ctx context.Context, namespaceID int64) ([]catalog.ImageLog, error) {
	return all(ctx, s.r, func(row scanner) (l catalog.ImageLog, err error) {
		return l, row.Scan(&l.ImageID, &l.BuildID)
	}, selectLogs, namespaceID)
}

// CountVersions returns how many versions images have.
func (s *Store) CountVersions(ctx context.Context, namespaceID int64) (map[int64]int, error) {
	type count struct {
		image int64
		n     int
	}
	counts, err := all(ctx, s.r, func(row scanner) (c count, err error) { return c, row.Scan(&c.image, &c.n) }, countVersions, namespaceID)
	of := map[int64]int{}
	for _, c := range counts {
		of[c.image] = c.n
	}
	return of, err
}
