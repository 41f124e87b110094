package sqlite

import (
	"context"

	"github.com/fandoghpaas/fandogh/catalog"
)

// signers are members who may write to their namespace, with their keys.
const signers = ` FROM namespaces JOIN members ON members.namespace_id = namespaces.id AND members.role >= ?
	JOIN users ON users.id = members.user_id AND users.disabled_at = 0 JOIN keys ON keys.user_id = users.id `

// maxSigningKeys bounds how many keys are looked at that have a part of one ID: there is one, unless somebody went to great length.
const maxSigningKeys = 8

// SigningKeys returns the keys by which a signature may be verified.
func (s *Store) SigningKeys(ctx context.Context, namespace string, kind catalog.KeyKind, id string) ([]catalog.SigningKey, error) {
	query := selectSigningKey
	if kind == catalog.KeyOpenPGP {
		query = selectSigningKeysByID
	}
	return all(ctx, s.r, func(row scanner) (k catalog.SigningKey, err error) {
		return k, row.Scan(append(keyFields(&k.Key), &k.User)...)
	}, query, catalog.RoleWrite, namespace, kind, id, maxSigningKeys)
}

const (
	selectSigningKeys     = `SELECT ` + keyColumns + `, users.name` + signers + `WHERE namespaces.name = ? AND keys.kind = ? AND `
	selectSigningKey      = selectSigningKeys + `keys.fingerprint = ? LIMIT ?`
	selectSigningKeysByID = selectSigningKeys + `instr(keys.key_ids, ?) > 0 LIMIT ?`
)

// checkSigned refuses a build whose image takes only tags that are signed by a member: by a key of the signer, who may write now.
func checkSigned(ctx context.Context, q querier, n catalog.NewBuild) error {
	image, err := imageByID(ctx, q, n.ImageID)
	if err != nil || !image.NeedsSignedTags() {
		return err
	}
	if err := n.CheckSignedTag(image.Ref); err != nil {
		return err
	}
	var still bool
	err = q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1`+signers+`WHERE namespaces.name = ? AND keys.fingerprint = ? AND users.name = ?)`,
		catalog.RoleWrite, image.Ref.Namespace, n.Signature.Key, n.Signature.Signer).Scan(&still)
	if err == nil && !still {
		n.Signature.Verified = false
		n.Signature.Reason = "the key " + n.Signature.Key + " is no longer that of a member who may write"
		err = n.CheckSignedTag(image.Ref)
	}
	return err
}

// CheckSigned says whether a build may still be.
func (s *Store) CheckSigned(ctx context.Context, buildID int64) error {
	b, err := buildByID(ctx, s.r, buildID)
	if err != nil {
		return err
	}
	return checkSigned(ctx, s.r, catalog.NewBuild{
		ImageID: b.ImageID, Version: b.Version, Tag: b.Tag, Trigger: b.Trigger, Commit: b.Commit, TagObject: b.TagObject, Signature: b.Signature, Options: b.Options,
	})
}
