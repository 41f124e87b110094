package sqlite

import (
	"context"
	"database/sql"

	"github.com/fandoghpaas/fandogh/catalog"
)

// selectImage finds an image's newest version by one look into versions_newest.
const selectImage = `SELECT images.id, namespaces.name, images.name, coalesce(images.owner_id, 0), images.created_at,
		versions.id IS NOT NULL, ` + lastVersionColumns + `
	FROM namespaces JOIN images ON images.namespace_id = namespaces.id
	LEFT JOIN versions ON versions.id = (SELECT max(id) FROM versions WHERE image_id = images.id) `

const lastVersionColumns = `coalesce(versions.id, 0), coalesce(versions.image_id, 0), coalesce(versions.name, ''),
	coalesce(versions.state, ''), coalesce(versions.trigger_kind, ''), coalesce(versions.commit_id, ''),
	coalesce(versions.digest, ''), coalesce(versions.size, 0), coalesce(versions.created_at, 0)`

const (
	selectImageByRef  = selectImage + `WHERE namespaces.name = ? AND images.name = ?`
	selectImageByID   = selectImage + `WHERE images.id = ?`
	selectImagesInAll = selectImage + `WHERE images.id < ? ORDER BY images.id DESC LIMIT ?`
	selectImagesInOne = selectImage + `WHERE namespaces.name = ? AND images.id < ? ORDER BY images.id DESC LIMIT ?`
)

func scanImage(row scanner) (i catalog.Image, err error) {
	var has bool
	var last catalog.Version
	err = row.Scan(append([]any{&i.ID, &i.Ref.Namespace, &i.Ref.Name, &i.OwnerID, timeColumn{&i.CreatedAt}, &has},
		versionFields(&last)...)...)
	if has {
		i.LastVersion = &last
	}
	return i, err
}

// CreateImage makes an image without versions.
func (s *Store) CreateImage(ctx context.Context, n catalog.NewImage) (catalog.Image, error) {
	if err := n.Ref.Validate(); err != nil {
		return catalog.Image{}, err
	}
	return writeFor(ctx, s, func(tx *sql.Tx) (catalog.Image, error) {
		namespace, err := namespaceByName(ctx, tx, n.Ref.Namespace)
		if err == nil {
			err = imageIsFree(ctx, tx, n.Ref)
		}
		if err == nil {
			err = within(ctx, tx, s.Limits.Images, "images", countImages, n.OwnerID)
		}
		if err != nil {
			return catalog.Image{}, err
		}
		var id int64
		err = tx.QueryRowContext(ctx, `INSERT INTO images (namespace_id, name, owner_id, created_at) VALUES (?, ?, ?, ?) RETURNING id`,
			namespace.ID, n.Ref.Name, orNull(n.OwnerID), toMicros(s.now())).Scan(&id)
		switch {
		case taken(err):
			err = catalog.Errorf(catalog.Conflict, "image %s already exists; image names do not differ by case alone", n.Ref)
		case dangling(err):
			err = errNoUser
		}
		if err != nil {
			return catalog.Image{}, err
		}
		if err := s.recordImage(ctx, tx, catalog.EventImageCreated, id); err != nil {
			return catalog.Image{}, err
		}
		return imageByID(ctx, tx, id)
	})
}

func imageByID(ctx context.Context, q querier, id int64) (catalog.Image, error) {
	return one(ctx, q, scanImage, catalog.Errorf(catalog.NotFound, "the image does not exist"), selectImageByID, id)
}

// Image returns an image by its name.
func (s *Store) Image(ctx context.Context, ref catalog.ImageRef) (catalog.Image, error) {
	return one(ctx, s.r, scanImage, catalog.Errorf(catalog.NotFound, "image %s does not exist", ref), selectImageByRef, ref.Namespace, ref.Name)
}

// ListImages returns a namespace's images, newest first.
func (s *Store) ListImages(ctx context.Context, namespace string, page catalog.Page) ([]catalog.Image, error) {
	before, limit := bounds(page)
	if namespace == "" {
		return all(ctx, s.r, scanImage, selectImagesInAll, before, limit)
	}
	return all(ctx, s.r, scanImage, selectImagesInOne, namespace, before, limit)
}

// DeleteImage removes an image with its versions, builds and steps.
func (s *Store) DeleteImage(ctx context.Context, imageID int64) error {
	return s.write(ctx, func(tx *sql.Tx) error { return s.deleteImage(ctx, tx, imageID) })
}

func (s *Store) deleteImage(ctx context.Context, tx *sql.Tx, imageID int64) error {
	image, err := imageByID(ctx, tx, imageID)
	if err != nil {
		return err
	}
	var busy bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM queue JOIN versions ON versions.id = queue.version_id
		WHERE versions.image_id = ?)`, imageID).Scan(&busy); err != nil {
		return err
	}
	if busy {
		return catalog.Errorf(catalog.Conflict, "a version of image %s is being built; cancel the build first", image.Ref)
	}
	if err := s.recordImage(ctx, tx, catalog.EventImageDeleted, imageID); err != nil {
		return err
	}
	if err := removeImage(ctx, tx, imageID); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM images WHERE id = ?`, imageID)
	return err
}
