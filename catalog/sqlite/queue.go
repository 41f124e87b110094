package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/fandoghpaas/fandogh/catalog"
)

// QueueBuilds makes versions PENDING with a queued build each.
func (s *Store) QueueBuilds(ctx context.Context, builds []catalog.NewBuild) ([]catalog.QueuedBuild, error) {
	for _, n := range builds {
		if err := catalog.ValidateVersion(n.Version); err != nil {
			return nil, err
		}
	}
	return writeFor(ctx, s, func(tx *sql.Tx) (queued []catalog.QueuedBuild, err error) {
		for _, n := range builds {
			if err := checkTombstone(ctx, tx, n.ImageID, n.Version, func(t catalog.Tombstone) error { return t.CheckBuild(n.Commit) }); err != nil {
				return nil, err
			}
			q, err := s.queueBuild(ctx, tx, n)
			if err != nil {
				return nil, err
			}
			queued = append(queued, q)
		}
		return queued, nil
	})
}

func (s *Store) queueBuild(ctx context.Context, tx *sql.Tx, n catalog.NewBuild) (catalog.QueuedBuild, error) {
	n.Tag = cmp.Or(n.Tag, n.Version)
	if err := checkSigned(ctx, tx, n); err != nil {
		return catalog.QueuedBuild{}, err
	}
	if err := tagIsOf(ctx, tx, n); err != nil {
		return catalog.QueuedBuild{}, err
	}
	v, err := one(ctx, tx, scanVersion, catalog.Errorf(catalog.NotFound, "version %q does not exist", n.Version), selectVersionByName, n.ImageID, n.Version)
	more := catalog.Amounts{Builds: 1}
	if n.Trigger == catalog.TriggerRegistry { // nothing is built
		more.Builds = 0
	}
	switch {
	case catalog.CodeOf(err) == catalog.NotFound:
		more.Versions = 1
		if err = s.imageMayHave(ctx, tx, n.ImageID, more); err == nil {
			v, err = s.insertVersion(ctx, tx, n)
		}
	case err != nil:
	case v.State.CanBecome(catalog.Pending) && v.State.Ended():
		if err = s.imageMayHave(ctx, tx, n.ImageID, more); err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE versions SET state = ?, trigger_kind = ?, commit_id = ?, tag = ? WHERE id = ?`,
				catalog.Pending, n.Trigger, n.Commit, n.Tag, v.ID)
		}
	case v.Tag != n.Tag:
		err = catalog.TagTaken(n.Tag, v)
	case v.State == catalog.Built:
		err = catalog.Errorf(catalog.Conflict, "version %s is already built and never changes; use a new version name", v.Name)
	case v.Commit == n.Commit:
		return attach(ctx, tx, v)
	default:
		err = catalog.Errorf(catalog.Conflict, "version %s is being built from another commit (%.12s); wait for it, or cancel it", v.Name, v.Commit)
	}
	if err != nil {
		return catalog.QueuedBuild{}, err
	}
	var namespaceID int64
	if err := tx.QueryRowContext(ctx, `SELECT namespace_id FROM images WHERE id = ?`, n.ImageID).Scan(&namespaceID); err != nil {
		return catalog.QueuedBuild{}, err
	}
	if err := s.mayWait(ctx, tx, namespaceID, 1); err != nil {
		return catalog.QueuedBuild{}, err
	}
	return s.insertBuild(ctx, tx, v.ID, n)
}

const selectTagElsewhere = `SELECT versions.name, images.name, versions.commit_id FROM images self
	JOIN images ON (images.id = coalesce(self.source_id, self.id) OR images.source_id = coalesce(self.source_id, self.id)) AND images.id <> self.id
	JOIN versions ON versions.image_id = images.id AND versions.tag = ?2
	WHERE self.id = ?1 AND versions.commit_id NOT IN ('', ?3) AND versions.state IN ('PENDING', 'BUILDING', 'BUILT') LIMIT 1`

// tagIsOf refuses a commit where another image of the repository has a version of the tag, of another commit: the tag
// moved, as it may when a version failed, and what it was is not built of it any more.
func tagIsOf(ctx context.Context, tx *sql.Tx, n catalog.NewBuild) error {
	var version, image, commit string
	err := tx.QueryRowContext(ctx, selectTagElsewhere, n.ImageID, n.Tag, n.Commit).Scan(&version, &image, &commit)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return catalog.Errorf(catalog.Conflict, "tag %s is commit %.7s, of which there is version %s of %s, and can't be built of commit %.7s as well; push a new tag", n.Tag, commit, version, image, n.Commit)
}

func (s *Store) insertVersion(ctx context.Context, tx *sql.Tx, n catalog.NewBuild) (catalog.Version, error) {
	if err := versionIsFree(ctx, tx, n.ImageID, n.Version); err != nil {
		return catalog.Version{}, err
	}
	v, err := scanVersion(tx.QueryRowContext(ctx, `INSERT INTO versions (image_id, name, tag, state, trigger_kind, commit_id, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING `+versionColumns,
		n.ImageID, n.Version, n.Tag, catalog.Pending, n.Trigger, n.Commit, toMicros(s.now())))
	if dangling(err) {
		err = catalog.Errorf(catalog.NotFound, "the image does not exist")
	}
	if err != nil {
		return v, err
	}
	return v, s.recordVersion(ctx, tx, catalog.EventVersionCreated, v.ID, "")
}

// attach returns the build of a version that is being built.
func attach(ctx context.Context, tx *sql.Tx, v catalog.Version) (catalog.QueuedBuild, error) {
	var id int64
	if err := tx.QueryRowContext(ctx, `SELECT build_id FROM queue WHERE version_id = ?`, v.ID).Scan(&id); err != nil {
		return catalog.QueuedBuild{}, err
	}
	b, err := buildByID(ctx, tx, id)
	return catalog.QueuedBuild{Build: b, Attached: true}, err
}

func (s *Store) insertBuild(ctx context.Context, tx *sql.Tx, versionID int64, n catalog.NewBuild) (q catalog.QueuedBuild, err error) {
	options, err := json.Marshal(n.Options)
	if err != nil {
		return q, err
	}
	var last int
	err = tx.QueryRowContext(ctx, `SELECT number FROM builds WHERE version_id = ? ORDER BY id DESC LIMIT 1`, versionID).Scan(&last)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return q, err
	}
	signature, err := json.Marshal(n.Signature)
	if err != nil {
		return q, err
	}
	result, err := tx.ExecContext(ctx, `INSERT INTO builds (version_id, number, trigger_kind, commit_id, tag_id, signature, user_id, options, state, queued_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		versionID, last+1, n.Trigger, n.Commit, n.TagObject, string(signature), orNull(n.UserID), string(options), catalog.Pending, toMicros(s.now()))
	if dangling(err) {
		return q, errNoUser
	}
	if err != nil {
		return q, err
	}
	id, err := result.LastInsertId()
	if err != nil {
		return q, err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO queue (build_id, version_id, namespace_id)
		SELECT ?, versions.id, images.namespace_id FROM versions JOIN images ON images.id = versions.image_id
		WHERE versions.id = ?`, id, versionID); err != nil {
		return q, err
	}
	if err := s.recordBuild(ctx, tx, catalog.EventBuildQueued, id); err != nil {
		return q, err
	}
	q.Build, err = buildByID(ctx, tx, id)
	return q, err
}
