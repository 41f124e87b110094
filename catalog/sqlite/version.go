package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

const versionColumns = `id, image_id, name, tag, state, trigger_kind, commit_id, digest, size, created_at`

func versionFields(v *catalog.Version) []any {
	return []any{&v.ID, &v.ImageID, &v.Name, &v.Tag, &v.State, &v.Trigger, &v.Commit, &v.Digest, &v.Size, timeColumn{&v.CreatedAt}}
}

func scanVersion(row scanner) (v catalog.Version, err error) {
	return v, row.Scan(versionFields(&v)...)
}

const selectVersionByName = `SELECT ` + versionColumns + ` FROM versions WHERE image_id = ? AND name = ?`

// Version returns one version by name.
func (s *Store) Version(ctx context.Context, imageID int64, name string) (catalog.Version, error) {
	return one(ctx, s.r, scanVersion, catalog.Errorf(catalog.NotFound, "version %q does not exist", name), selectVersionByName, imageID, name)
}

const selectVersionByRecipe = `SELECT ` + versionColumns + ` FROM versions WHERE image_id = ? AND recipe = ? AND recipe <> '' AND state = ? ORDER BY id DESC LIMIT 1`

// VersionByRecipe returns the newest built version of a recipe.
func (s *Store) VersionByRecipe(ctx context.Context, imageID int64, recipe string) (catalog.Version, error) {
	return one(ctx, s.r, scanVersion, catalog.Errorf(catalog.NotFound, "no built version has this recipe"), selectVersionByRecipe, imageID, recipe, catalog.Built)
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

// ofRepository finds the images that are built from the repository of image ?1.
const ofRepository = ` FROM images JOIN versions ON versions.image_id = images.id WHERE (images.id = ?1 OR images.source_id = ?1) `

const selectTagVersions = `SELECT versions.id, image_id, versions.name, tag, state, trigger_kind, commit_id, digest, size, versions.created_at` +
	ofRepository + `AND versions.tag = ?2`

// TagVersions returns the versions of a git tag.
func (s *Store) TagVersions(ctx context.Context, sourceID int64, tag string) ([]catalog.Version, error) {
	versions, err := all(ctx, s.r, scanVersion, selectTagVersions, sourceID, tag)
	slices.SortFunc(versions, func(a, b catalog.Version) int { return cmp.Compare(a.ID, b.ID) })
	return versions, err
}

const (
	selectWaitingTags = `SELECT versions.tag, versions.commit_id` + ofRepository + `AND versions.state IN ('PENDING', 'BUILDING')`
	// selectPartlyBuilt looks only at repositories of several images.
	selectPartlyBuilt = `SELECT versions.tag, versions.commit_id` + ofRepository + `AND versions.state IN ('BUILD_FAILED', 'FAILED')
		AND EXISTS (SELECT 1 FROM images WHERE source_id = ?1)
		AND EXISTS (SELECT 1 FROM images i JOIN versions v ON v.image_id = i.id WHERE (i.id = ?1 OR i.source_id = ?1)
			AND v.tag = versions.tag AND v.commit_id = versions.commit_id AND v.state = 'BUILT')`
)

// selectSourceObjects finds what versions and their builds are of.
const selectSourceObjects = `SELECT versions.commit_id` + ofRepository + `AND versions.commit_id <> ''
	UNION ALL SELECT builds.commit_id` + buildsOfRepository + `AND builds.commit_id <> ''
	UNION ALL SELECT builds.tag_id` + buildsOfRepository + `AND builds.tag_id <> ''`

const buildsOfRepository = ` FROM images JOIN versions ON versions.image_id = images.id JOIN builds ON builds.version_id = versions.id
	WHERE (images.id = ?1 OR images.source_id = ?1) `

// SourceObjects returns the commits and annotated tags that builds of a repository are of.
func (s *Store) SourceObjects(ctx context.Context, sourceID int64) ([]string, error) {
	objects, err := all(ctx, s.r, scanText, selectSourceObjects, sourceID)
	slices.Sort(objects)
	return slices.Compact(objects), err
}

// UnbuiltTags returns the tags that have a version which is not built.
func (s *Store) UnbuiltTags(ctx context.Context, sourceID int64) (map[string]string, error) {
	unbuilt := map[string]string{}
	for _, query := range []string{selectWaitingTags, selectPartlyBuilt} {
		tags, err := all(ctx, s.r, func(row scanner) (t catalog.RemovedTag, err error) { return t, row.Scan(&t.Name, &t.Commit) }, query, sourceID)
		if err != nil {
			return nil, err
		}
		for _, t := range tags {
			unbuilt[t.Name] = t.Commit
		}
	}
	return unbuilt, nil
}

// DeleteVersion removes a version with its builds and steps.
func (s *Store) DeleteVersion(ctx context.Context, versionID int64, reason string) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		v, err := one(ctx, tx, scanVersion, catalog.Errorf(catalog.NotFound, "the version does not exist"),
			`SELECT `+versionColumns+` FROM versions WHERE id = ?`, versionID)
		if err != nil {
			return err
		}
		if !v.State.Ended() {
			return catalog.Errorf(catalog.Conflict, "version %s is being built; cancel the build first", v.Name)
		}
		if err := s.recordVersion(ctx, tx, catalog.EventVersionDeleted, versionID, reason); err != nil {
			return err
		}
		if err := s.leaveTombstone(ctx, tx, versionID, reason); err != nil {
			return err
		}
		if err := removeVersion(ctx, tx, versionID); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM versions WHERE id = ?`, versionID)
		return err
	})
}
