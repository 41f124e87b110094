package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

const versionColumns = `id, image_id, name, state, trigger_kind, commit_id, digest, size, created_at`

func versionFields(v *catalog.Version) []any {
	return []any{&v.ID, &v.ImageID, &v.Name, &v.State, &v.Trigger, &v.Commit, &v.Digest, &v.Size, timeColumn{&v.CreatedAt}}
}

func scanVersion(row scanner) (v catalog.Version, err error) {
	return v, row.Scan(versionFields(&v)...)
}

const selectVersionByName = `SELECT ` + versionColumns + ` FROM versions WHERE image_id = ? AND name = ?`

// Version returns one version by name.
func (s *Store) Version(ctx context.Context, imageID int64, name string) (catalog.Version, error) {
	return one(ctx, s.r, scanVersion, catalog.Errorf(catalog.NotFound, "version %q does not exist", name), selectVersionByName, imageID, name)
}

// ListVersions returns an image's versions, newest first.
func (s *Store) ListVersions(ctx context.Context, imageID int64, f catalog.VersionFilter) ([]catalog.Version, error) {
	for _, state := range f.States {
		if err := state.Check(); err != nil {
			return nil, err
		}
	}
	query, args := listVersions(imageID, f)
	return all(ctx, s.r, scanVersion, query, args...)
}

// listVersions asks for each state by itself, newest first, and has SQLite
// merge the ordered answers: it reads no more rows than it returns, where one
// condition on all states would sort or skip through the whole image.
func listVersions(imageID int64, f catalog.VersionFilter) (query string, args []any) {
	before, limit := bounds(f.Page)
	const part = `SELECT ` + versionColumns + ` FROM versions WHERE image_id = ? AND id < ?`
	parts := make([]string, 0, len(f.States))
	for _, state := range slices.Compact(slices.Sorted(slices.Values(f.States))) {
		parts = append(parts, part+` AND state = ?`)
		args = append(args, imageID, before, state)
	}
	if len(parts) == 0 {
		parts, args = []string{part}, []any{imageID, before}
	}
	return fmt.Sprintf(`%s ORDER BY id DESC LIMIT ?`, strings.Join(parts, ` UNION ALL `)), append(args, limit)
}

// DeleteVersion removes a version with its builds and steps.
func (s *Store) DeleteVersion(ctx context.Context, versionID int64) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		v, err := one(ctx, tx, scanVersion, catalog.Errorf(catalog.NotFound, "the version does not exist"),
			`SELECT `+versionColumns+` FROM versions WHERE id = ?`, versionID)
		if err != nil {
			return err
		}
		if !v.State.Ended() {
			return catalog.Errorf(catalog.Conflict, "version %s is being built; cancel the build first", v.Name)
		}
		if err := s.recordVersion(ctx, tx, catalog.EventVersionDeleted, versionID); err != nil {
			return err
		}
		if err := removeVersion(ctx, tx, versionID); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM versions WHERE id = ?`, versionID)
		return err
	})
}
