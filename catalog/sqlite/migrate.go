package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"github.com/fandoghpaas/fandogh/catalog"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrOlder says that a database has an older schema than this program's.
var ErrOlder = errors.New("the catalog's database has an older schema")

// NewerError says that a database has a newer schema than this program's. It is an Unavailable of the catalog.
type NewerError struct{ err error }

func (e NewerError) Error() string { return e.err.Error() }

// Unwrap returns the catalog's error.
func (e NewerError) Unwrap() error { return e.err }

func migrate(ctx context.Context, db *sql.DB, path string, upgrade bool) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("read the catalog's migrations: %w", err)
	}
	have, know, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema version of %s: %w", path, err)
	}
	if have > know {
		return NewerError{catalog.Errorf(catalog.Unavailable, "database %s has schema %d, but this program supports up to %d: a newer fandoghd wrote it; run that version, or restore the backup from before the upgrade", path, have, know)}
	}
	if have < know && !upgrade {
		return ErrOlder
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bring %s to schema %d: %w", path, know, err)
	}
	return nil
}
