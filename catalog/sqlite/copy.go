package sqlite

import (
	"context"
	"fmt"
	"os"
)

// CopyTo writes the database as it is at one moment to a file that must not be there yet, while others go on to read and write it.
func (s *Store) CopyTo(ctx context.Context, path string) error {
	// SQLite writes into an empty file, and the mode is ours then.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		err = file.Close()
	}
	if err == nil {
		_, err = s.w.ExecContext(ctx, `VACUUM INTO ?`, path)
	}
	if err != nil {
		return fmt.Errorf("copy the catalog's database: %w", fail(err))
	}
	return nil
}
