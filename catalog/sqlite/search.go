package sqlite

import (
	"context"

	"github.com/fandoghpaas/fandogh/catalog"
)

// selectFoundImages begins with the user's namespaces, of which there are few, and not with an image's name, which many may have.
const selectFoundImages = `SELECT namespaces.name, images.name FROM members CROSS JOIN images ON images.namespace_id = members.namespace_id
	JOIN namespaces ON namespaces.id = members.namespace_id
	WHERE members.user_id = ? AND images.name >= ? AND images.name < ? LIMIT ?`

// FindImages returns images of a user's namespaces by how their names begin.
func (s *Store) FindImages(ctx context.Context, userID int64, prefix string, limit int) ([]catalog.ImageRef, error) {
	// No name has a letter from ~ on.
	return all(ctx, s.r, func(row scanner) (ref catalog.ImageRef, err error) {
		return ref, row.Scan(&ref.Namespace, &ref.Name)
	}, selectFoundImages, userID, prefix, prefix+"~", min(limit, maxPage))
}

// foundVersions begins with the commit or the digest, which few versions have in common.
const (
	foundVersions = `SELECT namespaces.name, images.name, versions.id, versions.image_id, versions.name, versions.tag, versions.state,
			versions.trigger_kind, versions.commit_id, versions.digest, versions.size, versions.created_at
		FROM versions CROSS JOIN images ON images.id = versions.image_id JOIN namespaces ON namespaces.id = images.namespace_id
		WHERE (?1 = 0 OR EXISTS (SELECT 1 FROM members WHERE members.namespace_id = images.namespace_id AND members.user_id = ?1)) `
	selectByCommit = foundVersions + `AND versions.commit_id <> '' AND versions.commit_id >= ?2 AND versions.commit_id < ?3
		ORDER BY versions.commit_id DESC, versions.id DESC LIMIT ?4`
	selectByDigest = foundVersions + `AND versions.digest <> '' AND versions.digest >= ?2 AND versions.digest < ?3
		ORDER BY versions.digest DESC, versions.id DESC LIMIT ?4`
)

// FindVersions returns versions by how their commit or digest begins.
func (s *Store) FindVersions(ctx context.Context, userID int64, p catalog.VersionPrefix, limit int) ([]catalog.FoundVersion, error) {
	query, prefix := selectByCommit, p.Commit
	if p.Digest != "" {
		query, prefix = selectByDigest, p.Digest
	}
	if prefix == "" {
		return nil, nil
	}
	// Behind the digits of hex comes g.
	return all(ctx, s.r, func(row scanner) (f catalog.FoundVersion, err error) {
		return f, row.Scan(append([]any{&f.Image.Namespace, &f.Image.Name}, versionFields(&f.Version)...)...)
	}, query, userID, prefix, prefix+"g", min(limit, maxPage))
}
