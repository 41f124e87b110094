package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// AddAuditLine stores a line until it is kept.
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

// KeepAudit stores lines with those that wait.
func (s *Store) KeepAudit(ctx context.Context, lines func() []catalog.AuditLine) (waited []catalog.AuditLine, err error) {
	if len(lines()) == 0 {
		var waits bool
		if err := s.r.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM audit_lines)`).Scan(&waits); err != nil || !waits {
			return nil, fail(err)
		}
	}
	return writeFor(ctx, s, func(tx *sql.Tx) ([]catalog.AuditLine, error) {
		waited, err := all(ctx, tx, scanWaiting, `DELETE FROM audit_lines RETURNING id, at, who, what, about`)
		if err != nil {
			return nil, err
		}
		slices.SortFunc(waited, func(a, b catalog.AuditLine) int { return cmp.Compare(a.ID, b.ID) })
		inOrder := slices.Concat(waited, lines())
		slices.SortStableFunc(inOrder, func(a, b catalog.AuditLine) int { return a.At.Compare(b.At) })
		for _, l := range inOrder {
			about, err := json.Marshal(l.On)
			if err != nil {
				return nil, err
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO audit (at, via, who, source, what, about) VALUES (?, ?, ?, ?, ?, ?)`, toMicros(l.At), l.Via, l.By, l.From, l.What, string(about))
			if err != nil {
				return nil, err
			}
		}
		return waited, nil
	})
}

func scanWaiting(row scanner) (catalog.AuditLine, error) {
	l := catalog.AuditLine{Via: catalog.ViaAdmin, From: "local"}
	var about []byte
	if err := row.Scan(&l.ID, timeColumn{&l.At}, &l.By, &l.What, &about); err != nil {
		return l, err
	}
	return l, json.Unmarshal(about, &l.On)
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
