package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	selectMoves = `SELECT moves.id, moves.image_id, moves.namespace, moves.image, namespaces.name, images.name
		FROM moves JOIN images ON images.id = moves.image_id JOIN namespaces ON namespaces.id = images.namespace_id `
	selectFormerNames = `SELECT was.name, former_names.image, images.id, namespaces.name, images.name
		FROM namespaces was JOIN former_names ON former_names.namespace_id = was.id
		JOIN images ON images.id = former_names.image_id JOIN namespaces ON namespaces.id = images.namespace_id WHERE was.name = ? `
	selectFormerName = selectFormerNames + `AND former_names.image = ?`
	// selectMoving are the builds of images whose files are not where they are looked for.
	selectMoving = `SELECT queue.build_id FROM moves CROSS JOIN versions ON versions.image_id = moves.image_id CROSS JOIN queue ON queue.version_id = versions.id`
	// ofTheTransferred selects the rows of an image and of those that are built from its repository.
	ofTheTransferred = `IN (SELECT id FROM images WHERE id = ?1 OR source_id = ?1)`
)

func scanMove(row scanner) (m catalog.Move, err error) {
	return m, row.Scan(&m.ID, &m.ImageID, &m.From.Namespace, &m.From.Name, &m.To.Namespace, &m.To.Name)
}

func scanFormerName(row scanner) (f catalog.FormerName, err error) {
	return f, row.Scan(&f.Ref.Namespace, &f.Ref.Name, &f.ImageID, &f.Image.Namespace, &f.Image.Name)
}

var errNoMove = catalog.Errorf(catalog.NotFound, "the move does not exist")

func formerName(ctx context.Context, q querier, ref catalog.ImageRef) (catalog.FormerName, error) {
	return one(ctx, q, scanFormerName, catalog.Errorf(catalog.NotFound, "no image that was transferred had the name %s", ref), selectFormerName, ref.Namespace, ref.Name)
}

// nameIsFree refuses a name that an image had before it was transferred, but to that very image, 0 being none.
func nameIsFree(ctx context.Context, q querier, ref catalog.ImageRef, imageID int64) error {
	former, err := formerName(ctx, q, ref)
	switch {
	case catalog.CodeOf(err) == catalog.NotFound || err == nil && former.ImageID == imageID:
		return nil
	case err != nil:
		return err
	}
	return former.Taken()
}

// isNotMoving refuses what needs an image's files while they are moved.
func isNotMoving(ctx context.Context, q querier, image catalog.Image) error {
	var moving bool
	err := q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM moves WHERE image_id = ?)`, image.ID).Scan(&moving)
	if err == nil && moving {
		err = catalog.Errorf(catalog.Unavailable, "image %s was just transferred and its files are being moved; try again in a moment", image.Ref)
	}
	return fail(err)
}

// namespaceIsNotMoving refuses to delete a namespace that files of images are moved from.
func namespaceIsNotMoving(ctx context.Context, tx *sql.Tx, name string) error {
	var moving bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM moves WHERE namespace = ?)`, name).Scan(&moving)
	if err == nil && moving {
		err = catalog.Errorf(catalog.Unavailable, "an image of namespace %s was just transferred and its files are being moved; try again in a moment", name)
	}
	return err
}

// TransferImage gives an image to another namespace.
func (s *Store) TransferImage(ctx context.Context, image catalog.Image, namespace string) ([]catalog.Move, error) {
	return writeFor(ctx, s, func(tx *sql.Tx) ([]catalog.Move, error) {
		now, err := imageByID(ctx, tx, image.ID)
		if err != nil {
			return nil, err
		}
		if now.Ref != image.Ref {
			return nil, catalog.Errorf(catalog.Moved, "image %s was transferred and is %s now; use that name", image.Ref, now.Ref)
		}
		to, err := namespaceByName(ctx, tx, namespace)
		if err != nil {
			return nil, err
		}
		if to.Name == now.Ref.Namespace {
			return nil, catalog.Errorf(catalog.Conflict, "image %s is in namespace %s already", now.Ref, to.Name)
		}
		all, err := transferredWith(ctx, tx, now)
		if err != nil {
			return nil, err
		}
		if err := s.mayTransfer(ctx, tx, now, all, to); err != nil {
			return nil, err
		}
		return s.transfer(ctx, tx, all, to)
	})
}

// TransferredWith returns an image and those that are built from its repository.
func (s *Store) TransferredWith(ctx context.Context, imageID int64) ([]catalog.Image, error) {
	image, err := imageByID(ctx, s.r, imageID)
	if err != nil {
		return nil, err
	}
	return transferredWith(ctx, s.r, image)
}

func transferredWith(ctx context.Context, q querier, image catalog.Image) ([]catalog.Image, error) {
	return all(ctx, q, scanImage, selectImage+`WHERE images.id = ?1 OR images.source_id = ?1 ORDER BY images.id`, image.ID)
}

// mayTransfer refuses a transfer that the rules are against.
func (s *Store) mayTransfer(ctx context.Context, tx *sql.Tx, image catalog.Image, all []catalog.Image, to catalog.Namespace) error {
	if image.SourceID != image.ID {
		return catalog.Errorf(catalog.Conflict, "image %s is built from the repository of %s; transfer that image, which takes along all that are built from its repository", image.Ref, image.Source)
	}
	for _, i := range all {
		target := catalog.ImageRef{Namespace: to.Name, Name: i.Ref.Name}
		err := errors.Join(isNotMoving(ctx, tx, i), imageIsFree(ctx, tx, target))
		if err == nil {
			err = nameIsFree(ctx, tx, target, i.ID)
		}
		if err != nil {
			return err
		}
	}
	var running string
	err := tx.QueryRowContext(ctx, `SELECT coalesce((SELECT images.name || ':' || versions.name FROM queue JOIN versions ON versions.id = queue.version_id JOIN images ON images.id = versions.image_id
		WHERE queue.running = 1 AND versions.image_id `+ofTheTransferred+` LIMIT 1), '')`, image.ID).Scan(&running)
	if err == nil && running != "" {
		err = catalog.Errorf(catalog.Conflict, "a build of %s/%s runs; wait until it has ended, or cancel it", image.Ref.Namespace, running)
	}
	if err != nil {
		return err
	}
	more := catalog.Amounts{Images: len(all)}
	var waiting int
	for query, to := range map[string]*int{
		`SELECT count(*) FROM versions WHERE image_id ` + ofTheTransferred:                                                       &more.Versions,
		`SELECT count(*) FROM queue JOIN versions ON versions.id = queue.version_id WHERE versions.image_id ` + ofTheTransferred: &waiting,
	} {
		if err := tx.QueryRowContext(ctx, query, image.ID).Scan(to); err != nil {
			return err
		}
	}
	if err := s.mayHave(ctx, tx, to.ID, more); err != nil || waiting == 0 {
		return err
	}
	return s.mayWait(ctx, tx, to.ID, waiting)
}

// transfer changes the rows.
func (s *Store) transfer(ctx context.Context, tx *sql.Tx, images []catalog.Image, to catalog.Namespace) (moves []catalog.Move, err error) {
	for _, image := range images {
		for _, change := range []struct {
			query string
			args  []any
		}{
			{`INSERT INTO moves (image_id, namespace, image) VALUES (?, ?, ?)`, []any{image.ID, image.Ref.Namespace, image.Ref.Name}},
			{`DELETE FROM former_names WHERE namespace_id = ? AND image = ?`, []any{to.ID, image.Ref.Name}},
			{`INSERT INTO former_names (namespace_id, image, image_id, at) SELECT namespace_id, name, id, ? FROM images WHERE id = ?`, []any{toMicros(s.now()), image.ID}},
			{`UPDATE images SET namespace_id = ? WHERE id = ?`, []any{to.ID, image.ID}},
			{`UPDATE queue SET namespace_id = ? WHERE version_id IN (SELECT id FROM versions WHERE image_id = ?)`, []any{to.ID, image.ID}},
			{`UPDATE retention_rules SET namespace_id = ? WHERE image_id = ?`, []any{to.ID, image.ID}},
			{`UPDATE removals SET namespace = ? WHERE image_id = ?`, []any{to.Name, image.ID}},
			// What they were encrypted for is part of the encryption.
			{`UPDATE webhooks SET namespace_id = ?, sealed_for = iif(sealed_for = '', ?, sealed_for) WHERE image_id = ?`, []any{to.ID, image.Ref.Namespace, image.ID}},
			{`UPDATE secrets SET namespace_id = ?, sealed_for = iif(sealed_for = '', ?, sealed_for) WHERE image_id = ?`, []any{to.ID, image.Ref.Namespace, image.ID}},
		} {
			_, err := tx.ExecContext(ctx, change.query, change.args...)
			if taken(err) && strings.HasPrefix(change.query, "UPDATE images") {
				err = catalog.Errorf(catalog.Conflict, "image %s/%s already exists; image names do not differ by case alone", to.Name, image.Ref.Name)
			}
			if err != nil {
				return nil, err
			}
		}
		move, err := one(ctx, tx, scanMove, errNoMove, selectMoves+`WHERE moves.image_id = ?`, image.ID)
		if err == nil {
			err = s.recordTransfer(ctx, tx, move)
		}
		if err != nil {
			return nil, err
		}
		moves = append(moves, move)
	}
	return moves, nil
}

// recordTransfer adds an event to either namespace.
func (s *Store) recordTransfer(ctx context.Context, tx *sql.Tx, m catalog.Move) error {
	s.events.recorded.Store(true)
	for _, ref := range []catalog.ImageRef{m.From, m.To} {
		_, err := tx.ExecContext(ctx, `INSERT INTO events (at, kind, namespace_id, namespace, image_id, image, from_image, to_image)
			SELECT ?, ?, id, name, ?, ?, ?, ? FROM namespaces WHERE name = ?`,
			toMicros(s.now()), catalog.EventImageTransferred, m.ImageID, ref.Name, m.From.String(), m.To.String(), ref.Namespace)
		if err != nil {
			return err
		}
	}
	return nil
}

// Moves returns those that are to be done.
func (s *Store) Moves(ctx context.Context) ([]catalog.Move, error) {
	return all(ctx, s.r, scanMove, selectMoves+`ORDER BY moves.id`)
}

// EndMove makes the image of a move available.
func (s *Store) EndMove(ctx context.Context, id int64) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM moves WHERE id = ?`, id)
		return touched(result, err, errNoMove)
	})
}

// FormerNames returns the names of a namespace that images had before they were transferred.
func (s *Store) FormerNames(ctx context.Context, namespace string) ([]catalog.FormerName, error) {
	return all(ctx, s.r, scanFormerName, selectFormerNames+`ORDER BY former_names.image`, namespace)
}

// FreeFormerName lets another image have a name.
func (s *Store) FreeFormerName(ctx context.Context, ref catalog.ImageRef) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		former, err := formerName(ctx, tx, ref)
		if err == nil {
			err = isNotMoving(ctx, tx, catalog.Image{ID: former.ImageID, Ref: former.Image})
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM former_names WHERE image = ? AND namespace_id = (SELECT id FROM namespaces WHERE name = ?)`, former.Ref.Name, former.Ref.Namespace)
		return err
	})
}
