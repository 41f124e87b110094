package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/fandoghpaas/fandogh/catalog"
)

const selectConnection = `SELECT connections.id, namespaces.id, namespaces.name, images.name, images.id, coalesce(connections.user_id, 0), connections.repository,
		connections.repository_id, connections.former,
		connections.tags, connections.branches, connections.paths, connections.context, connections.sealed, connections.created_at
	FROM connections JOIN images ON images.id = connections.image_id JOIN namespaces ON namespaces.id = images.namespace_id `

const (
	selectConnectionsTo   = selectConnection + `WHERE connections.repository = ? ORDER BY connections.id`
	selectConnectionsToID = selectConnection + `WHERE connections.repository_id = ? ORDER BY connections.id`
)

func scanConnection(row scanner) (c catalog.Connection, err error) {
	return c, row.Scan(&c.ID, &c.NamespaceID, &c.Image.Namespace, &c.Image.Name, &c.ImageID, &c.UserID, &c.Repository, &c.RepositoryID, &c.Former,
		&c.Tags, &c.Branches, &c.Paths, &c.Context, &c.Sealed, timeColumn{&c.CreatedAt})
}

var errNoConnection = catalog.Errorf(catalog.NotFound, "the image is not connected to a repository")

// PutConnection makes or replaces an image's connection.
func (s *Store) PutConnection(ctx context.Context, c catalog.Connection) (catalog.Connection, error) {
	return writeFor(ctx, s, func(tx *sql.Tx) (catalog.Connection, error) {
		// Another repository's refs are not this one's.
		if _, err := tx.ExecContext(ctx, `DELETE FROM connections WHERE image_id = ? AND repository <> ?`, c.ImageID, c.Repository); err != nil {
			return c, err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO connections (image_id, user_id, repository, repository_id, former, tags, branches, paths, context, sealed, created_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (image_id) DO UPDATE SET user_id = excluded.user_id, repository = excluded.repository,
				repository_id = excluded.repository_id, former = excluded.former, tags = excluded.tags,
				branches = excluded.branches, paths = excluded.paths, context = excluded.context, sealed = excluded.sealed`,
			c.ImageID, orNull(c.UserID), c.Repository, c.RepositoryID, c.Former, c.Tags, c.Branches, c.Paths, c.Context, c.Sealed, toMicros(s.now()))
		if dangling(err) {
			err = catalog.Errorf(catalog.NotFound, "the image or user does not exist")
		}
		if err != nil {
			return c, err
		}
		return one(ctx, tx, scanConnection, errNoConnection, selectConnection+`WHERE connections.image_id = ?`, c.ImageID)
	})
}

// ConnectionOf returns an image's connection.
func (s *Store) ConnectionOf(ctx context.Context, imageID int64) (catalog.Connection, error) {
	return one(ctx, s.r, scanConnection, errNoConnection, selectConnection+`WHERE connections.image_id = ?`, imageID)
}

// ConnectionByID returns a connection.
func (s *Store) ConnectionByID(ctx context.Context, id int64) (catalog.Connection, error) {
	return one(ctx, s.r, scanConnection, errNoConnection, selectConnection+`WHERE connections.id = ?`, id)
}

// ConnectionsTo returns the connections of a repository, oldest first.
func (s *Store) ConnectionsTo(ctx context.Context, repository string) ([]catalog.Connection, error) {
	return all(ctx, s.r, scanConnection, selectConnectionsTo, repository)
}

// ConnectionsToID returns the connections of a repository by its number, oldest first.
func (s *Store) ConnectionsToID(ctx context.Context, repositoryID int64) ([]catalog.Connection, error) {
	if repositoryID == 0 {
		return nil, nil
	}
	return all(ctx, s.r, scanConnection, selectConnectionsToID, repositoryID)
}

// NameRepository records the number and the name of a connection's repository.
func (s *Store) NameRepository(ctx context.Context, id, repositoryID int64, repository string) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE connections SET repository_id = ?, repository = ?,
			former = CASE WHEN repository = ? THEN former ELSE repository END WHERE id = ?`, repositoryID, repository, repository, id)
		return touched(result, err, errNoConnection)
	})
}

// ListConnections returns a page of all connections, oldest first.
func (s *Store) ListConnections(ctx context.Context, after int64) ([]catalog.Connection, error) {
	return all(ctx, s.r, scanConnection, selectConnection+`WHERE connections.id > ? ORDER BY connections.id LIMIT ?`, after, maxPage)
}

// DeleteConnection removes a connection.
func (s *Store) DeleteConnection(ctx context.Context, id int64) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM connections WHERE id = ?`, id)
		return touched(result, err, errNoConnection)
	})
}

const sourceRefColumns = `connection_id, name, object, commit_id, version, settled, note, at`

const (
	selectSourceRefs = `SELECT ` + sourceRefColumns + ` FROM source_refs WHERE connection_id = ? ORDER BY at DESC LIMIT ?`
	selectFromSource = `SELECT 1 FROM source_refs WHERE connection_id = ? AND commit_id = ? LIMIT 1`
)

func scanSourceRef(row scanner) (r catalog.SourceRef, err error) {
	return r, row.Scan(&r.ConnectionID, &r.Name, &r.Object, &r.Commit, &r.Version, &r.Processed, &r.Note, timeColumn{&r.At})
}

// PutSourceRef records what was made of a ref.
func (s *Store) PutSourceRef(ctx context.Context, r catalog.SourceRef) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO source_refs (`+sourceRefColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (connection_id, name) DO UPDATE SET object = excluded.object, commit_id = excluded.commit_id, version = excluded.version,
				settled = excluded.settled, note = excluded.note, at = excluded.at`,
			r.ConnectionID, r.Name, r.Object, r.Commit, r.Version, r.Processed, r.Note, toMicros(s.now()))
		if dangling(err) {
			return errNoConnection
		}
		return err
	})
}

// SourceRef returns what is known of a ref.
func (s *Store) SourceRef(ctx context.Context, connectionID int64, name string) (catalog.SourceRef, error) {
	return one(ctx, s.r, scanSourceRef, catalog.Errorf(catalog.NotFound, "nothing is known of %s", name),
		`SELECT `+sourceRefColumns+` FROM source_refs WHERE connection_id = ? AND name = ?`, connectionID, name)
}

// ListSourceRefs returns the refs that changed last, newest first.
func (s *Store) ListSourceRefs(ctx context.Context, connectionID int64, limit int) ([]catalog.SourceRef, error) {
	_, limit = bounds(catalog.Page{Limit: limit})
	return all(ctx, s.r, scanSourceRef, selectSourceRefs, connectionID, limit)
}

// FromSource reports whether a commit came by a connection.
func (s *Store) FromSource(ctx context.Context, connectionID int64, commit string) (bool, error) {
	var found bool
	err := s.r.QueryRowContext(ctx, selectFromSource, connectionID, commit).Scan(&found)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return found, fail(err)
}
