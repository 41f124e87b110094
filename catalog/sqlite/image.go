package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

// selectImage finds an image's newest version by one look into versions_newest.
const selectImage = `SELECT images.id, namespaces.name, images.name, coalesce(source.id, images.id), coalesce(source.name, images.name),
		coalesce(images.owner_id, 0), images.created_at, images.signed_tags, coalesce(source.signed_tags, images.signed_tags),
		versions.id IS NOT NULL, ` + lastVersionColumns + `
	FROM namespaces JOIN images ON images.namespace_id = namespaces.id
	LEFT JOIN images source ON source.id = images.source_id
	LEFT JOIN versions ON versions.id = (SELECT max(id) FROM versions WHERE image_id = images.id) `

const lastVersionColumns = `coalesce(versions.id, 0), coalesce(versions.image_id, 0), coalesce(versions.name, ''), coalesce(versions.tag, ''),
	coalesce(versions.state, ''), coalesce(versions.trigger_kind, ''), coalesce(versions.commit_id, ''),
	coalesce(versions.digest, ''), coalesce(versions.size, 0), coalesce(versions.created_at, 0)`

const (
	selectImageByRef  = selectImage + `WHERE namespaces.name = ? AND images.name = ?`
	selectImageInUse  = selectImageByRef + ` AND NOT EXISTS (SELECT 1 FROM moves WHERE image_id = images.id)`
	selectImageByID   = selectImage + `WHERE images.id = ?`
	selectImagesInAll = selectImage + `WHERE images.id < ? ORDER BY images.id DESC LIMIT ?`
	selectImagesInOne = selectImage + `WHERE namespaces.name = ? AND images.id < ? ORDER BY images.id DESC LIMIT ?`
)

func scanImage(row scanner) (i catalog.Image, err error) {
	var has bool
	var last catalog.Version
	err = row.Scan(append([]any{&i.ID, &i.Ref.Namespace, &i.Ref.Name, &i.SourceID, &i.Source.Name, &i.OwnerID, timeColumn{&i.CreatedAt}, &i.SignedTags, &i.SourceSigns, &has},
		versionFields(&last)...)...)
	i.Source.Namespace = i.Ref.Namespace
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
			err = nameIsFree(ctx, tx, n.Ref, 0)
		}
		if err == nil && n.SourceID != 0 {
			err = isRepository(ctx, tx, namespace.ID, n.SourceID)
		}
		if err == nil {
			err = within(ctx, tx, s.limits.Load().Images, "images", countImages, n.OwnerID)
		}
		if err == nil {
			err = s.mayHave(ctx, tx, namespace.ID, catalog.Amounts{Images: 1})
		}
		if err != nil {
			return catalog.Image{}, err
		}
		var id int64
		err = tx.QueryRowContext(ctx, `INSERT INTO images (namespace_id, name, source_id, owner_id, created_at) VALUES (?, ?, ?, ?, ?) RETURNING id`,
			namespace.ID, n.Ref.Name, orNull(n.SourceID), orNull(n.OwnerID), toMicros(s.now())).Scan(&id)
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

// isRepository refuses a source without a repository of its own, or of another namespace.
func isRepository(ctx context.Context, tx *sql.Tx, namespaceID, sourceID int64) error {
	var is bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM images WHERE id = ? AND namespace_id = ? AND source_id IS NULL)`, sourceID, namespaceID).Scan(&is)
	if err == nil && !is {
		err = catalog.Errorf(catalog.NotFound, "the image whose repository it is to be built from does not exist")
	}
	return err
}

func imageByID(ctx context.Context, q querier, id int64) (catalog.Image, error) {
	return one(ctx, q, scanImage, catalog.Errorf(catalog.NotFound, "the image does not exist"), selectImageByID, id)
}

// Image returns an image by its name.
func (s *Store) Image(ctx context.Context, ref catalog.ImageRef) (catalog.Image, error) {
	missing := catalog.Errorf(catalog.NotFound, "image %s does not exist", ref)
	image, err := one(ctx, s.r, scanImage, missing, selectImageInUse, ref.Namespace, ref.Name)
	if catalog.CodeOf(err) != catalog.NotFound {
		return image, err
	}
	image, err = one(ctx, s.r, scanImage, missing, selectImageByRef, ref.Namespace, ref.Name)
	switch catalog.CodeOf(err) {
	case "":
		return image, isNotMoving(ctx, s.r, image)
	case catalog.NotFound:
		if former, formerErr := formerName(ctx, s.r, ref); catalog.CodeOf(formerErr) != catalog.NotFound {
			return image, cmp.Or(formerErr, former.Refuse())
		}
	}
	return image, err
}

// ImageByID returns an image by its ID.
func (s *Store) ImageByID(ctx context.Context, imageID int64) (catalog.Image, error) {
	return imageByID(ctx, s.r, imageID)
}

// ListImages returns a namespace's images, newest first.
func (s *Store) ListImages(ctx context.Context, namespace string, page catalog.Page) ([]catalog.Image, error) {
	before, limit := bounds(page)
	if namespace == "" {
		return all(ctx, s.r, scanImage, selectImagesInAll, before, limit)
	}
	return all(ctx, s.r, scanImage, selectImagesInOne, namespace, before, limit)
}

// UpdateImage changes an image.
func (s *Store) UpdateImage(ctx context.Context, imageID int64, u catalog.ImageUpdate) (catalog.Image, error) {
	return writeFor(ctx, s, func(tx *sql.Tx) (catalog.Image, error) {
		if u.SignedTags != nil {
			if _, err := tx.ExecContext(ctx, `UPDATE images SET signed_tags = ? WHERE id = ?`, *u.SignedTags, imageID); err != nil {
				return catalog.Image{}, err
			}
		}
		return imageByID(ctx, tx, imageID)
	})
}

// DeleteImage removes an image with its versions, builds and steps.
func (s *Store) DeleteImage(ctx context.Context, imageID int64) error {
	return s.write(ctx, func(tx *sql.Tx) error { return s.deleteImage(ctx, tx, imageID) })
}

func (s *Store) deleteImage(ctx context.Context, tx *sql.Tx, imageID int64) error {
	image, err := imageByID(ctx, tx, imageID)
	if err == nil {
		err = isNotMoving(ctx, tx, image)
	}
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
	others, err := all(ctx, tx, scanText,
		`SELECT name FROM images WHERE source_id = ? ORDER BY name`, imageID)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		return catalog.Errorf(catalog.Conflict, "images are built from the repository of %s: %s; delete them first", image.Ref, strings.Join(others, ", "))
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
