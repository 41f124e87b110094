package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/fandoghpaas/fandogh/catalog"
)

const selectRemovals = `SELECT id, image_id, namespace, image, version, commit_id, digest, builds FROM removals `

func scanRemoval(row scanner) (r catalog.Removal, err error) {
	var builds []byte
	if err := row.Scan(&r.ID, &r.ImageID, &r.Image.Namespace, &r.Image.Name, &r.Version, &r.Commit, &r.Digest, &builds); err != nil {
		return r, err
	}
	return r, json.Unmarshal(builds, &r.Builds)
}

// Removals returns what deletions have left to do.
func (s *Store) Removals(ctx context.Context) ([]catalog.Removal, error) {
	return all(ctx, s.r, scanRemoval, selectRemovals+`ORDER BY id`)
}

// EndRemoval forgets a removal.
func (s *Store) EndRemoval(ctx context.Context, id int64) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM removals WHERE id = ?`, id)
		return touched(result, err, catalog.Errorf(catalog.NotFound, "the removal does not exist"))
	})
}

const addRemoval = `INSERT INTO removals (image_id, namespace, image, version, commit_id, digest, builds)
	SELECT images.id, namespaces.name, images.name, %s, %s, %s, (SELECT json_group_array(builds.id) FROM builds JOIN versions v ON v.id = builds.version_id WHERE %s)
	FROM %s JOIN namespaces ON namespaces.id = images.namespace_id WHERE %s = ?`

var (
	addImageRemoval   = fmt.Sprintf(addRemoval, `''`, `''`, `''`, `v.image_id = images.id`, `images`, `images.id`)
	addVersionRemoval = fmt.Sprintf(addRemoval, `versions.name`, `versions.commit_id`, `versions.digest`, `v.id = versions.id`,
		`versions JOIN images ON images.id = versions.image_id`, `versions.id`)
)

// addBuildsOfVersions takes what versions that were deleted before the image have left to do.
const addBuildsOfVersions = `UPDATE removals SET builds = (SELECT json_group_array(value) FROM removals r, json_each(r.builds) WHERE r.image_id = removals.image_id)
	WHERE image_id = ? AND version = ''`

// removeImage notes that an image's files have to go, those of its deleted versions among them.
func removeImage(ctx context.Context, tx *sql.Tx, imageID int64) error {
	for _, query := range []string{addImageRemoval, addBuildsOfVersions, `DELETE FROM removals WHERE image_id = ? AND version <> ''`} {
		if _, err := tx.ExecContext(ctx, query, imageID); err != nil {
			return err
		}
	}
	return nil
}

// removeVersion notes that a version's files have to go.
func removeVersion(ctx context.Context, tx *sql.Tx, versionID int64) error {
	_, err := tx.ExecContext(ctx, addVersionRemoval, versionID)
	return err
}

// removeNamespace notes that what lies under a namespace's name has to go.
func removeNamespace(ctx context.Context, tx *sql.Tx, name string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO removals (image_id, namespace, image, version, commit_id, digest, builds) VALUES (0, ?, '', '', '', '', '[]')`, name)
	return err
}

// namespaceIsFree refuses a namespace whose name's last owner is being removed.
func namespaceIsFree(ctx context.Context, tx *sql.Tx, name string) error {
	return isFree(ctx, tx, "namespace "+name, `namespace = ? AND image = ''`, name)
}

// imageIsFree refuses an image whose name's last owner is being removed.
func imageIsFree(ctx context.Context, tx *sql.Tx, ref catalog.ImageRef) error {
	return isFree(ctx, tx, "image "+ref.String(), `namespace = ? AND image = ? AND version = ''`, ref.Namespace, ref.Name)
}

// versionIsFree refuses a version of which the last of that name is being removed.
func versionIsFree(ctx context.Context, tx *sql.Tx, imageID int64, version string) error {
	return isFree(ctx, tx, "version "+version, `image_id = ? AND version = ?`, imageID, version)
}

func isFree(ctx context.Context, tx *sql.Tx, what, where string, args ...any) error {
	var removing bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM removals WHERE `+where+`)`, args...).Scan(&removing)
	if err == nil && removing {
		err = catalog.Errorf(catalog.Unavailable, "%s was just deleted and its files are being removed; try again in a moment", what)
	}
	return err
}
