package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/fandoghpaas/fandogh/catalog"
)

// AddAuditLine stores a line for the audit log.
func (s *Store) AddAuditLine(ctx context.Context, l catalog.AuditLine) error {
	about, err := json.Marshal(l.On)
	if err != nil {
		return err
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO audit_lines (at, who, what, about) VALUES (?, ?, ?, ?)`, toMicros(s.now()), l.By, l.What, string(about))
		return err
	})
}

// AuditLines returns the lines that wait, oldest first.
func (s *Store) AuditLines(ctx context.Context) ([]catalog.AuditLine, error) {
	return all(ctx, s.r, func(row scanner) (l catalog.AuditLine, err error) {
		var about []byte
		if err := row.Scan(&l.ID, timeColumn{&l.At}, &l.By, &l.What, &about); err != nil {
			return l, err
		}
		return l, json.Unmarshal(about, &l.On)
	}, `SELECT id, at, who, what, about FROM audit_lines ORDER BY id LIMIT ?`, maxPage)
}

// DropAuditLines forgets lines up to an ID.
func (s *Store) DropAuditLines(ctx context.Context, id int64) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM audit_lines WHERE id <= ?`, id)
		return err
	})
}
