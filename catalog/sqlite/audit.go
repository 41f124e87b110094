package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

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

// KeepAudit stores lines of the audit log.
func (s *Store) KeepAudit(ctx context.Context, lines []catalog.AuditLine) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		for _, l := range lines {
			about, err := json.Marshal(l.On)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO audit (at, via, who, source, what, about) VALUES (?, ?, ?, ?, ?, ?)`, toMicros(l.At), l.Via, l.By, l.From, l.What, string(about))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// ListAudit returns lines of the audit log, newest first.
func (s *Store) ListAudit(ctx context.Context, f catalog.AuditFilter) ([]catalog.AuditLine, error) {
	if err := f.Validate(); err != nil {
		return nil, err
	}
	query, args := listAudit(f)
	return all(ctx, s.r, func(row scanner) (l catalog.AuditLine, err error) {
		var about []byte
		if err := row.Scan(&l.ID, timeColumn{&l.At}, &l.Via, &l.By, &l.From, &l.What, &about); err != nil {
			return l, err
		}
		return l, json.Unmarshal(about, &l.On)
	}, query, args...)
}

// listAudit reads from the newest line on, through an index where a user's lines are asked for.
func listAudit(f catalog.AuditFilter) (query string, args []any) {
	before, limit := bounds(f.Page)
	query, args = `SELECT id, at, via, who, source, what, about FROM audit WHERE id < ?`, []any{before}
	and := func(condition string, value any) { query, args = query+` AND `+condition, append(args, value) }
	if f.By != "" {
		and(`who = ?`, f.By)
	}
	if f.Via != "" {
		and(`via = ?`, f.Via)
	}
	if f.Image != "" {
		and(`image = ?`, f.Image)
	}
	if !f.Since.IsZero() {
		and(`at >= ?`, toMicros(f.Since))
	}
	if !f.Until.IsZero() {
		and(`at < ?`, toMicros(f.Until))
	}
	return query + ` ORDER BY id DESC LIMIT ?`, append(args, limit)
}

// PruneAudit forgets lines from before a time.
func (s *Store) PruneAudit(ctx context.Context, before time.Time) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM audit WHERE at < ?`, toMicros(before))
		return err
	})
}
