package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/fandoghpaas/fandogh/catalog"
)

const selectUnattested = `SELECT attestations.build_id, attestations.facts, versions.digest
	FROM attestations JOIN builds ON builds.id = attestations.build_id JOIN versions ON versions.id = builds.version_id
	WHERE attestations.build_id > ? ORDER BY attestations.build_id LIMIT ?`

// insertFacts stores what is to be said of a build.
func insertFacts(ctx context.Context, tx *sql.Tx, buildID int64, facts *catalog.BuildFacts) error {
	if facts == nil {
		return nil
	}
	text, err := json.Marshal(facts)
	if err != nil {
		return err
	}
	if _, err = tx.ExecContext(ctx, `INSERT INTO attestations (build_id, facts) VALUES (?, ?)`, buildID, string(text)); err != nil {
		return err
	}
	for _, base := range facts.Bases {
		if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO bases (version_id, digest) SELECT version_id, ? FROM builds WHERE id = ?`, base.Digest, buildID); err != nil {
			return err
		}
	}
	return nil
}

// ListUnattested returns built versions that are not attested yet.
func (s *Store) ListUnattested(ctx context.Context, after int64, limit int) ([]catalog.Unattested, error) {
	if limit <= 0 || limit > maxPage {
		limit = maxPage
	}
	waiting, err := all(ctx, s.r, func(row scanner) (u catalog.Unattested, err error) {
		var facts string
		if err := row.Scan(&u.ID, &facts, &u.Digest); err != nil {
			return u, err
		}
		return u, json.Unmarshal([]byte(facts), &u.Facts)
	}, selectUnattested, after, limit)
	if err != nil {
		return nil, err
	}
	found := waiting[:0]
	for _, u := range waiting {
		switch u.Build, err = buildByID(ctx, s.r, u.ID); {
		case err == nil:
			found = append(found, u)
		case catalog.CodeOf(err) != catalog.NotFound: // else it was deleted meanwhile
			return nil, err
		}
	}
	return found, nil
}

// EndAttestation records that there is nothing more to say of a build.
func (s *Store) EndAttestation(ctx context.Context, buildID int64) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM attestations WHERE build_id = ?`, buildID)
		return err
	})
}
