package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fandoghpaas/fandogh/catalog"
)

const selectRemovals = `SELECT id, image_id, namespace, image, version, source, tags, kept, digest, builds FROM removals `

func scanRemoval(row scanner) (r catalog.Removal, err error) {
	var tags, kept, builds []byte
	if err := row.Scan(&r.ID, &r.ImageID, &r.Image.Namespace, &r.Image.Name, &r.Version, &r.Source.Name, &tags, &kept, &r.Digest, &builds); err != nil {
		return r, err
	}
	if err := errors.Join(json.Unmarshal(tags, &r.Tags), json.Unmarshal(kept, &r.Kept), json.Unmarshal(builds, &r.Builds)); err != nil {
		return r, err
	}
	if len(r.Tags) == 0 {
		r.Tags = nil
	}
	if len(r.Kept) == 0 {
		r.Kept = nil
	}
	if r.Source.Namespace = r.Image.Namespace; r.Tags == nil && r.Kept == nil {
		r.Source = catalog.ImageRef{}
	}
	return r, nil
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

const addRemoval = `INSERT INTO removals (image_id, namespace, image, version, source, tags, kept, digest, builds)
	SELECT images.id, namespaces.name, images.name, %s, coalesce(source.name, images.name), %s, %s, %s,
		(SELECT json_group_array(builds.id) FROM builds JOIN versions v ON v.id = builds.version_id WHERE %s)
	FROM %s JOIN namespaces ON namespaces.id = images.namespace_id LEFT JOIN images source ON source.id = images.source_id WHERE %s = ?`

// tagsThatGo are the tags of some versions of which no other version is built.
const tagsThatGo = `(SELECT json_group_array(json_object('name', v.tag, 'commit', v.commit_id)) FROM versions v
	WHERE %s AND v.commit_id <> '' AND NOT EXISTS (SELECT 1 FROM images i JOIN versions other ON other.image_id = i.id
		WHERE (i.id = coalesce(images.source_id, images.id) OR i.source_id = coalesce(images.source_id, images.id)) AND %s
		AND other.tag = v.tag AND other.commit_id = v.commit_id AND other.state NOT IN ('BUILD_FAILED', 'FAILED')))`

// keptThatGo are the objects that hidden refs were given for some versions' builds, and which no other version needs that
// is not built.
const keptThatGo = `(SELECT json_group_array(DISTINCT kept.object) FROM (SELECT coalesce(nullif(b.tag_id, ''), b.commit_id) AS object
		FROM builds b JOIN versions v ON v.id = b.version_id WHERE %s) kept
	WHERE kept.object <> '' AND NOT EXISTS (SELECT 1 FROM images i JOIN versions other ON other.image_id = i.id JOIN builds b ON b.version_id = other.id
		WHERE (i.id = coalesce(images.source_id, images.id) OR i.source_id = coalesce(images.source_id, images.id)) AND %s
		AND other.state IN ('PENDING', 'BUILDING', 'BUILD_FAILED', 'FAILED') AND coalesce(nullif(b.tag_id, ''), b.commit_id) = kept.object))`

var (
	addImageRemoval = fmt.Sprintf(addRemoval, `''`, fmt.Sprintf(tagsThatGo, `v.image_id = images.id AND images.source_id IS NOT NULL`, `other.image_id <> v.image_id`),
		fmt.Sprintf(keptThatGo, `v.image_id = images.id AND images.source_id IS NOT NULL`, `other.image_id <> images.id`), `''`,
		`v.image_id = images.id`, `images`, `images.id`)
	addVersionRemoval = fmt.Sprintf(addRemoval, `versions.name`, fmt.Sprintf(tagsThatGo, `v.id = versions.id`, `other.id <> v.id`),
		fmt.Sprintf(keptThatGo, `v.id = versions.id`, `other.id <> versions.id`), `versions.digest`,
		`v.id = versions.id`, `versions JOIN images ON images.id = versions.image_id`, `versions.id`)
)

// addRestOfVersions takes what versions that were deleted before the image have left to do.
const addRestOfVersions = `UPDATE removals SET builds = (SELECT json_group_array(value) FROM removals r, json_each(r.builds) WHERE r.image_id = removals.image_id),
		tags = (SELECT json_group_array(json(value)) FROM removals r, json_each(r.tags) WHERE r.image_id = removals.image_id AND removals.source <> removals.image),
		kept = (SELECT json_group_array(value) FROM removals r, json_each(r.kept) WHERE r.image_id = removals.image_id AND removals.source <> removals.image)
	WHERE image_id = ? AND version = ''`

// removeImage notes that an image's files have to go, those of its deleted versions among them.
func removeImage(ctx context.Context, tx *sql.Tx, imageID int64) error {
	for _, query := range []string{addImageRemoval, addRestOfVersions, `DELETE FROM removals WHERE image_id = ? AND version <> ''`} {
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
	_, err := tx.ExecContext(ctx, `INSERT INTO removals (image_id, namespace, image, version, digest, builds) VALUES (0, ?, '', '', '', '[]')`, name)
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
