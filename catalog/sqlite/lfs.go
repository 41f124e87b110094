package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// maxLocks is how many locks an image may have.
const maxLocks = 10_000

const (
	objectColumns = `oid, size, blob, used_at`
	selectObjects = `SELECT ` + objectColumns + ` FROM lfs_objects WHERE image_id = ? `
	selectObject  = selectObjects + `AND oid = ?`
	useObjects    = `UPDATE lfs_objects SET used_at = ? WHERE image_id = ? AND oid IN (SELECT value FROM json_each(?))`
	deleteObjects = `DELETE FROM lfs_objects WHERE image_id = ? AND oid IN (SELECT value FROM json_each(?)) AND used_at <= ? RETURNING ` + objectColumns
	selectLocks   = `SELECT lfs_locks.id, lfs_locks.path, users.id, users.name, lfs_locks.locked_at
		FROM lfs_locks JOIN users ON users.id = lfs_locks.owner_id WHERE lfs_locks.image_id = ? `
)

var errNoLock = catalog.Errorf(catalog.NotFound, "the lock does not exist")

func scanObject(row scanner) (o catalog.LFSObject, err error) {
	return o, row.Scan(&o.OID, &o.Size, &o.Blob, timeColumn{&o.UsedAt})
}

func scanLock(row scanner) (l catalog.LFSLock, err error) {
	return l, row.Scan(&l.ID, &l.Path, &l.OwnerID, &l.Owner, timeColumn{&l.LockedAt})
}

// AddLFSObject notes that an image has an object.
func (s *Store) AddLFSObject(ctx context.Context, imageID int64, o catalog.LFSObject) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO lfs_objects (image_id, oid, size, blob, used_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET used_at = excluded.used_at`, imageID, o.OID, o.Size, o.Blob, toMicros(s.now()))
		if dangling(err) {
			err = catalog.Errorf(catalog.NotFound, "the image does not exist")
		}
		return err
	})
}

// LFSObject returns one of an image's objects.
func (s *Store) LFSObject(ctx context.Context, imageID int64, oid string) (catalog.LFSObject, error) {
	return one(ctx, s.r, scanObject, catalog.Errorf(catalog.NotFound, "the image does not have the Git LFS object %s", oid),
		selectObject, imageID, oid)
}

// ListLFSObjects returns all objects of an image.
func (s *Store) ListLFSObjects(ctx context.Context, imageID int64) ([]catalog.LFSObject, error) {
	return all(ctx, s.r, scanObject, selectObjects+`ORDER BY oid`, imageID)
}

// UseLFSObjects has those of some objects that an image has be used now.
func (s *Store) UseLFSObjects(ctx context.Context, imageID int64, oids []string) error {
	list, err := json.Marshal(oids)
	if err != nil {
		return err
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, useObjects, toMicros(s.now()), imageID, string(list))
		return err
	})
}

// DeleteLFSObjects removes objects from an image that were not used after a time.
func (s *Store) DeleteLFSObjects(ctx context.Context, imageID int64, oids []string, until time.Time) (deleted []catalog.LFSObject, err error) {
	list, err := json.Marshal(oids)
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		deleted, err = all(ctx, tx, scanObject, deleteObjects, imageID, string(list), toMicros(until))
		return err
	})
	return deleted, err
}

// CreateLFSLock locks a path, or returns the lock that it has.
func (s *Store) CreateLFSLock(ctx context.Context, imageID int64, path string, ownerID int64) (lock catalog.LFSLock, err error) {
	if err := catalog.ValidateLockPath(path); err != nil {
		return lock, err
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		lock, err = one(ctx, tx, scanLock, errNoLock, selectLocks+`AND lfs_locks.path = ?`, imageID, path)
		if err == nil {
			return catalog.Errorf(catalog.Conflict, "%s is already locked by %s", path, lock.Owner)
		}
		if catalog.CodeOf(err) != catalog.NotFound {
			return err
		}
		var id, have int64
		err = tx.QueryRowContext(ctx, `SELECT count(*) FROM lfs_locks WHERE image_id = ?`, imageID).Scan(&have)
		if err == nil && have >= maxLocks {
			err = catalog.Errorf(catalog.Forbidden, "the image has reached the limit of %d locks; unlock some files", maxLocks)
		}
		if err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, `INSERT INTO lfs_locks (image_id, path, owner_id, locked_at) VALUES (?, ?, ?, ?) RETURNING id`,
			imageID, path, ownerID, toMicros(s.now())).Scan(&id)
		if dangling(err) {
			err = catalog.Errorf(catalog.NotFound, "the image or user does not exist")
		}
		if err == nil {
			lock, err = one(ctx, tx, scanLock, errNoLock, selectLocks+`AND lfs_locks.id = ?`, imageID, id)
		}
		return err
	})
	return lock, err
}

const selectLocksOf = selectLocks + `AND lfs_locks.id > ? AND (? = 0 OR lfs_locks.id = ?) AND (? = '' OR lfs_locks.path = ?)
	ORDER BY lfs_locks.id LIMIT ?`

// ListLFSLocks returns an image's locks by ID.
func (s *Store) ListLFSLocks(ctx context.Context, imageID int64, f catalog.LFSLockFilter) ([]catalog.LFSLock, error) {
	_, limit := bounds(catalog.Page{Limit: f.Limit})
	return all(ctx, s.r, scanLock, selectLocksOf, imageID, f.After, f.ID, f.ID, f.Path, f.Path, limit)
}

// DeleteLFSLock removes an image's lock.
func (s *Store) DeleteLFSLock(ctx context.Context, imageID, id int64) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM lfs_locks WHERE image_id = ? AND id = ?`, imageID, id)
		return touched(result, err, errNoLock)
	})
}
