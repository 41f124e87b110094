package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/fandoghpaas/fandogh/catalog"
)

// maxPage is how many rows one list call returns at most.
const maxPage = 1000

// querier is a transaction or a pool.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// scanner is one row.
type scanner interface{ Scan(dest ...any) error }

// write runs f in a transaction that holds the write lock from its beginning,
// so what f reads stays true until it is committed.
func (s *Store) write(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := s.begin(ctx)
	if err != nil {
		return fail(err)
	}
	err = f(tx)
	// Read while the transaction keeps other writers out: afterwards it may be theirs.
	recorded := s.events.recorded.Swap(false)
	if err != nil {
		if rollback := tx.Rollback(); rollback != nil && !errors.Is(rollback, sql.ErrTxDone) {
			err = errors.Join(err, rollback)
		}
		return fail(err)
	}
	if err := tx.Commit(); err != nil {
		return fail(err)
	}
	if recorded {
		s.events.notify()
	}
	return nil
}

// begin waits for the write lock until ctx ends or busyTimeout does.
func (s *Store) begin(ctx context.Context) (*sql.Tx, error) {
	for deadline := time.Now().Add(busyTimeout); ; {
		tx, err := s.w.BeginTx(ctx, nil)
		switch {
		case err == nil || !busy(err) || time.Now().After(deadline):
			return tx, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
	}
}

// writeFor is write for an f that has a result; an error leaves none.
func writeFor[T any](ctx context.Context, s *Store, f func(tx *sql.Tx) (T, error)) (T, error) {
	var result, none T
	err := s.write(ctx, func(tx *sql.Tx) (err error) {
		result, err = f(tx)
		return err
	})
	if err != nil {
		return none, err
	}
	return result, nil
}

// one reads a single row; none is NotFound with the given sentence.
func one[T any](ctx context.Context, q querier, scan func(scanner) (T, error), missing *catalog.Error, query string, args ...any) (T, error) {
	v, err := scan(q.QueryRowContext(ctx, query, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return v, missing
	}
	return v, fail(err)
}

// scanText reads a row of one text.
func scanText(row scanner) (text string, err error) { return text, row.Scan(&text) }

func all[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) (list []T, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fail(err)
	}
	defer func() { err = errors.Join(err, fail(rows.Close())) }()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, fail(err)
		}
		list = append(list, v)
	}
	return list, fail(rows.Err())
}

// touched turns "no row changed" into err.
func touched(result sql.Result, err error, none *catalog.Error) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		return none
	}
	return err
}

// fail gives an error of the driver its place in the vocabulary.
func fail(err error) error {
	var e sqlite3.Error
	var known *catalog.Error
	if err == nil || errors.As(err, &known) || !errors.As(err, &e) {
		return err
	}
	switch {
	case busy(err):
		return catalog.Wrap(catalog.Unavailable, err, "the catalog's database is busy; try again")
	case full(err):
		return catalog.Wrap(catalog.Unavailable, fmt.Errorf("%w: %w", err, syscall.ENOSPC),
			"the server's disk is full and nothing was changed; try again later, or tell the server's administrator")
	}
	return err
}

// busy reports whether err says that another connection holds the lock.
func busy(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && (e.Code == sqlite3.ErrBusy || e.Code == sqlite3.ErrLocked)
}

// full reports whether err says that the disk has no room left.
func full(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && (e.Code == sqlite3.ErrFull || e.SystemErrno == syscall.ENOSPC || e.SystemErrno == syscall.EDQUOT)
}

// taken reports whether err says that a unique value is there already.
func taken(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && (e.ExtendedCode == sqlite3.ErrConstraintUnique || e.ExtendedCode == sqlite3.ErrConstraintPrimaryKey)
}

// dangling reports whether err says that a row refers to one that is not there.
func dangling(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.ExtendedCode == sqlite3.ErrConstraintForeignKey
}

// toMicros is how times are stored; a zero time is 0.
func toMicros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// timeColumn scans a stored time.
type timeColumn struct{ to *time.Time }

// Scan takes microseconds.
func (c timeColumn) Scan(src any) error {
	us, ok := src.(int64)
	if !ok {
		return errors.New("a time is stored as an integer")
	}
	*c.to = fromMicros(us)
	return nil
}

// orNull stores an ID that may be missing.
func orNull(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

// limitOf returns the limit of a page.
func limitOf(p catalog.NamePage) int {
	_, limit := bounds(catalog.Page{Limit: p.Limit})
	return limit
}

// bounds returns the exclusive upper ID and the limit of a page.
func bounds(p catalog.Page) (before int64, limit int) {
	before, limit = p.Before, p.Limit
	if before <= 0 {
		before = 1<<63 - 1
	}
	if limit <= 0 || limit > maxPage {
		limit = maxPage
	}
	return before, limit
}
