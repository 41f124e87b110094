// Package sqlite keeps the catalog in one SQLite database. Several processes
// may have it open at the same time.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	_ "github.com/mattn/go-sqlite3" // the database/sql driver "sqlite3"

	"github.com/fandoghpaas/fandogh/catalog"
)

var _ catalog.Store = (*Store)(nil)

// readers is how many read transactions run at once; each holds a connection
// with its own page cache.
const readers = 8

// Store is a catalog.Store. SQLite takes one writer at a time: writes queue
// for the one connection of w and take the database's write lock when their
// transaction begins; reads never wait for them.
type Store struct {
	w      *sql.DB
	r      *sql.DB
	now    func() time.Time
	events notifier
	limits atomic.Pointer[catalog.Limits]
}

// SetLimits changes what one user may create; a new Store has no limits.
func (s *Store) SetLimits(l catalog.Limits) { s.limits.Store(&l) }

// Open opens the database at path, makes it when there is none, and brings its
// schema up to date. It refuses a database that a newer program has written.
// The caller must Close the store.
func Open(ctx context.Context, path string) (*Store, error) { return open(ctx, path, true) }

// OpenAsItIs is Open for a database that another program may be using: it changes no schema.
// Errors: ErrOlder.
func OpenAsItIs(ctx context.Context, path string) (*Store, error) { return open(ctx, path, false) }

func open(ctx context.Context, path string, upgrade bool) (_ *Store, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// The file holds password hashes; SQLite gives its companions the same mode.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, syscall.EROFS) {
		return nil, fmt.Errorf("%w: the disk of %s is read-only; mount it read-write again, or copy the whole data directory to another disk to check it or back it up there", err, path)
	}
	if err != nil {
		return nil, fmt.Errorf("open the catalog's database: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	s := &Store{now: time.Now}
	s.SetLimits(catalog.Limits{})
	if err := prepare(ctx, path, upgrade); full(err) {
		return nil, fmt.Errorf("%w (%w): the disk of %s is full; nothing is lost: free some space and start again", err, syscall.ENOSPC, path)
	} else if err != nil {
		return nil, err
	}
	if s.w, err = sql.Open("sqlite3", dsn(path, lockWait, "_txlock", "immediate")); err != nil {
		return nil, err
	}
	s.w.SetMaxOpenConns(1)
	if s.r, err = sql.Open("sqlite3", dsn(path, busyTimeout, "_query_only", "1")); err != nil {
		return nil, errors.Join(err, s.w.Close())
	}
	s.r.SetMaxOpenConns(readers)
	s.r.SetMaxIdleConns(readers)
	return s, nil
}

// prepare changes the journal mode and the schema under a lock of its own:
// neither waits for another process by SQLite's means.
func prepare(ctx context.Context, path string, upgrade bool) (err error) {
	lock := flock.New(path+".lock", flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		return fmt.Errorf("lock the catalog's database: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	db, err := sql.Open("sqlite3", dsn(path, busyTimeout, "_txlock", "immediate", "_journal_mode", "WAL"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.PingContext(ctx); err != nil {
		return fmt.Errorf("open the catalog's database %s: %w", path, err)
	}
	return migrate(ctx, db, path, upgrade)
}

const (
	// busyTimeout is how long a call waits for another process to end its write.
	busyTimeout = 10 * time.Second
	// lockWait is how long SQLite itself waits for the write lock. It does not
	// notice the end of a context meanwhile, so write asks again instead.
	lockWait = 100 * time.Millisecond
)

// dsn carries every PRAGMA, because one set by a statement would reach only
// one connection of a pool.
func dsn(path string, busy time.Duration, extra ...string) string {
	q := url.Values{
		"_busy_timeout": {strconv.FormatInt(busy.Milliseconds(), 10)},
		"_foreign_keys": {"1"},
		"_synchronous":  {"FULL"},
		// More than the program has: each is parsed once a connection.
		"_stmt_cache_size": {"200"},
		// database/sql lets one goroutine at a time use a connection.
		"_mutex": {"no"},
	}
	for i := 0; i < len(extra); i += 2 {
		q.Set(extra[i], extra[i+1])
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	if err := s.r.QueryRowContext(ctx, `SELECT 1 FROM sqlite_schema LIMIT 1`).Scan(&one); err != nil {
		return catalog.Wrap(catalog.Unavailable, err, "the catalog's database is not responding")
	}
	return nil
}

// Close closes the database. Calls under way end first or fail.
func (s *Store) Close() error { return errors.Join(s.r.Close(), s.w.Close()) }
