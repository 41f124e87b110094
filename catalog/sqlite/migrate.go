package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"github.com/fandoghpaas/fandogh/catalog"
)

//go:embed migrations/*.sql
var migrations embed.FS

func migrate(ctx context.Context, db *sql.DB, path string) error {
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
		return catalog.Errorf(catalog.Unavailable, "database %s has schema %d and this program knows up to %d: a newer fandoghd wrote it; run that one, or restore the backup from before the upgrade", path, have, know)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bring %s to schema %d: %w", path, know, err)
	}
	return nil
}
