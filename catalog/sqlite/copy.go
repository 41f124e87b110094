package sqlite

import (
	"context"
	"database/sql"
	"errors"
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

// LastBuildID returns the highest ID that a build was given, whether the build is still there or not.
func (s *Store) LastBuildID(ctx context.Context) (id int64, err error) {
	err = s.r.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'builds'`).Scan(&id)
	return id, fail(err)
}

// knownElsewhere are the tables whose IDs outlive a database that is replaced by an earlier copy: logs are named by builds' IDs,
// clients and receivers of webhooks remember those of events, and the caches of BuildKits know images by theirs.
var knownElsewhere = []string{"builds", "events", "images"}

// SkipIDs has a copy of the database give none of the next n IDs that are known elsewhere, since the database that it was made of may have given them.
func (s *Store) SkipIDs(ctx context.Context, n int64) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		for _, table := range knownElsewhere {
			_, err := tx.ExecContext(ctx, `INSERT INTO sqlite_sequence (name, seq) SELECT ?1, 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)`, table)
			if err == nil {
				_, err = tx.ExecContext(ctx, `UPDATE sqlite_sequence SET seq = seq + ? WHERE name = ?`, n, table)
			}
			if err != nil {
				return errors.Join(fmt.Errorf("skip IDs of %s", table), err)
			}
		}
		return nil
	})
}
