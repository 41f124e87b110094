package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// SetRetentionRule sets a scope's rule for a kind of versions.
func (s *Store) SetRetentionRule(ctx context.Context, r catalog.ScopedRule) error {
	rule, err := r.Rule.Checked()
	if err = errors.Join(r.Kind.Check(), err); err != nil {
		return err
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		id, err := retentionOwner(ctx, tx, r.RetentionScope)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO retention_rules (namespace_id, image_id, kind, keep_last, keep_days, keep) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (namespace_id, coalesce(image_id, 0), kind) DO UPDATE
			SET keep_last = excluded.keep_last, keep_days = excluded.keep_days, keep = excluded.keep`,
			id, orNull(r.ImageID), r.Kind, rule.KeepLast, rule.KeepDays, rule.Keep)
		return err
	})
}

// DeleteRetentionRule removes a scope's own rule.
func (s *Store) DeleteRetentionRule(ctx context.Context, scope catalog.RetentionScope, kind catalog.RetentionKind) error {
	if err := kind.Check(); err != nil {
		return err
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		id, err := retentionOwner(ctx, tx, scope)
		if err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, `DELETE FROM retention_rules WHERE namespace_id = ? AND coalesce(image_id, 0) = ? AND kind = ?`, id, scope.ImageID, kind)
		return touched(result, err, catalog.Errorf(catalog.NotFound, "there is no rule of its own for %s", kind))
	})
}

// retentionOwner returns the ID of a scope's namespace.
func retentionOwner(ctx context.Context, tx *sql.Tx, scope catalog.RetentionScope) (int64, error) {
	n, err := namespaceByName(ctx, tx, scope.Namespace)
	if err != nil || scope.ImageID == 0 {
		return n.ID, err
	}
	var found int
	err = tx.QueryRowContext(ctx, `SELECT 1 FROM images WHERE id = ? AND namespace_id = ?`, scope.ImageID, n.ID).Scan(&found)
	if errors.Is(err, sql.ErrNoRows) {
		err = catalog.Errorf(catalog.NotFound, "the image does not exist")
	}
	return n.ID, err
}

const selectRetentionRules = `SELECT coalesce(image_id, 0), kind, keep_last, keep_days, keep FROM retention_rules
	WHERE namespace_id = ? AND coalesce(image_id, 0) IN (0, ?)`

// ListRetentionRules returns the rules of an image and of its namespace.
func (s *Store) ListRetentionRules(ctx context.Context, scope catalog.RetentionScope) ([]catalog.ScopedRule, error) {
	n, err := namespaceByName(ctx, s.r, scope.Namespace)
	if err != nil {
		return nil, err
	}
	return all(ctx, s.r, func(row scanner) (r catalog.ScopedRule, err error) {
		r.Namespace = n.Name
		return r, row.Scan(&r.ImageID, &r.Kind, &r.Rule.KeepLast, &r.Rule.KeepDays, &r.Rule.Keep)
	}, selectRetentionRules, n.ID, scope.ImageID)
}

const selectRetained = `SELECT v.id, v.image_id, v.name, v.tag, v.state, v.trigger_kind, v.commit_id, v.digest, v.size, v.created_at,
		coalesce(json_extract(b.options, '$.branch'), ''), coalesce(b.ended_at, v.created_at),
		EXISTS (SELECT 1 FROM builds JOIN attestations ON attestations.build_id = builds.id WHERE builds.version_id = v.id)
	FROM versions v LEFT JOIN builds b ON b.id = (SELECT max(id) FROM builds WHERE version_id = v.id)
	WHERE v.image_id = ? ORDER BY v.id DESC`

// ListRetained returns all versions of an image, with what the store knows of why they would stay.
func (s *Store) ListRetained(ctx context.Context, imageID int64) ([]catalog.RetainedVersion, error) {
	return all(ctx, s.r, func(row scanner) (v catalog.RetainedVersion, err error) {
		return v, row.Scan(append(versionFields(&v.Version), &v.Branch, timeColumn{&v.EndedAt}, &v.Unattested)...)
	}, selectRetained, imageID)
}

const selectIsBase = `SELECT EXISTS (SELECT 1 FROM json_each(?) d JOIN bases ON bases.digest = d.value WHERE bases.version_id <> ?)`

// IsBase reports whether another version was made from one of some manifests.
func (s *Store) IsBase(ctx context.Context, digests []string, otherThan int64) (is bool, err error) {
	list, err := json.Marshal(digests)
	if err != nil {
		return false, err
	}
	return is, fail(s.r.QueryRowContext(ctx, selectIsBase, string(list), otherThan).Scan(&is))
}

const selectBuildLogs = `SELECT id FROM builds WHERE log_removed_at = 0 AND trigger_kind <> 'registry' AND ended_at > 0 AND ended_at < ? ORDER BY ended_at LIMIT ?`

// ListBuildLogs returns builds that ended and whose logs were not removed.
func (s *Store) ListBuildLogs(ctx context.Context, before time.Time, limit int) ([]int64, error) {
	_, limit = bounds(catalog.Page{Limit: limit})
	return all(ctx, s.r, func(row scanner) (id int64, err error) { return id, row.Scan(&id) }, selectBuildLogs, toMicros(before), limit)
}

// NoteLogsRemoved records that logs are gone.
func (s *Store) NoteLogsRemoved(ctx context.Context, buildIDs []int64, at time.Time) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		for _, id := range buildIDs {
			if _, err := tx.ExecContext(ctx, `UPDATE builds SET log_removed_at = ? WHERE id = ?`, toMicros(at), id); err != nil {
				return err
			}
		}
		return nil
	})
}
