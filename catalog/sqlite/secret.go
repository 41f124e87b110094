package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/fandoghpaas/fandogh/catalog"
)

const selectSecret = `SELECT secrets.id, coalesce(secrets.namespace_id, 0), coalesce(namespaces.name, ''), coalesce(secrets.image_id, 0), coalesce(images.name, ''),
		secrets.kind, secrets.name, secrets.tags, secrets.username, secrets.sealed, secrets.sealed_for, coalesce(secrets.user_id, 0), secrets.set_at
	FROM secrets LEFT JOIN namespaces ON namespaces.id = secrets.namespace_id LEFT JOIN images ON images.id = secrets.image_id `

// selectSecrets is in the index's order.
const selectSecrets = selectSecret + `WHERE coalesce(secrets.namespace_id, 0) = ? ORDER BY secrets.kind, secrets.name, coalesce(secrets.image_id, 0), secrets.tags`

func scanSecret(row scanner) (s catalog.Secret, err error) {
	return s, row.Scan(&s.ID, &s.NamespaceID, &s.Namespace, &s.ImageID, &s.Image,
		&s.Kind, &s.Name, &s.Tags, &s.Username, &s.Sealed, &s.SealedFor, &s.UserID, timeColumn{&s.SetAt})
}

var errNoSecret = catalog.Errorf(catalog.NotFound, "the secret does not exist")

// PutSecret stores a secret.
func (s *Store) PutSecret(ctx context.Context, secret catalog.Secret) (catalog.Secret, error) {
	return writeFor(ctx, s, func(tx *sql.Tx) (catalog.Secret, error) {
		if secret.NamespaceID = 0; secret.Namespace != "" {
			namespace, err := namespaceByName(ctx, tx, secret.Namespace)
			if err != nil {
				return secret, err
			}
			secret.NamespaceID = namespace.ID
		}
		if err := checkSecret(ctx, tx, secret); err != nil {
			return secret, err
		}
		if err := s.mayPutSecret(ctx, tx, secret); err != nil {
			return secret, err
		}
		if secret.Kind == catalog.SecretRegistry {
			if err := noteAccount(ctx, tx, secret.Name); err != nil {
				return secret, err
			}
		}
		var id int64
		err := tx.QueryRowContext(ctx, `INSERT INTO secrets (namespace_id, image_id, kind, name, tags, username, sealed, user_id, set_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (coalesce(namespace_id, 0), kind, name, coalesce(image_id, 0), tags) DO UPDATE
			SET username = excluded.username, sealed = excluded.sealed, sealed_for = '', user_id = excluded.user_id, set_at = excluded.set_at RETURNING id`,
			orNull(secret.NamespaceID), orNull(secret.ImageID), secret.Kind, secret.Name, secret.Tags, secret.Username, secret.Sealed,
			orNull(secret.UserID), toMicros(s.now())).Scan(&id)
		if dangling(err) {
			err = catalog.Errorf(catalog.NotFound, "the user does not exist")
		}
		if err != nil {
			return secret, err
		}
		return one(ctx, tx, scanSecret, errNoSecret, selectSecret+`WHERE secrets.id = ?`, id)
	})
}

// checkSecret refuses an image of another namespace.
func checkSecret(ctx context.Context, tx *sql.Tx, secret catalog.Secret) error {
	if secret.ImageID == 0 {
		return nil
	}
	var found int
	err := tx.QueryRowContext(ctx, `SELECT 1 FROM images WHERE id = ? AND namespace_id = ?`, secret.ImageID, secret.NamespaceID).Scan(&found)
	if errors.Is(err, sql.ErrNoRows) {
		return catalog.Errorf(catalog.NotFound, "the image does not exist")
	}
	return err
}

// mayPutSecret refuses a new secret beyond the user's limit; the value of one that is there may change.
func (s *Store) mayPutSecret(ctx context.Context, tx *sql.Tx, secret catalog.Secret) error {
	var found int
	err := tx.QueryRowContext(ctx, `SELECT 1 FROM secrets WHERE coalesce(namespace_id, 0) = ? AND kind = ? AND name = ? AND coalesce(image_id, 0) = ? AND tags = ?`,
		secret.NamespaceID, secret.Kind, secret.Name, secret.ImageID, secret.Tags).Scan(&found)
	if errors.Is(err, sql.ErrNoRows) {
		return within(ctx, tx, s.limits.Load().Secrets, "secrets", countSecrets, secret.UserID)
	}
	return err
}

// ListSecrets returns the secrets of a namespace or of the installation.
func (s *Store) ListSecrets(ctx context.Context, namespace string) ([]catalog.Secret, error) {
	var id int64
	if namespace != "" {
		n, err := namespaceByName(ctx, s.r, namespace)
		if err != nil {
			return nil, err
		}
		id = n.ID
	}
	return all(ctx, s.r, scanSecret, selectSecrets, id)
}

// DeleteSecret removes a secret.
func (s *Store) DeleteSecret(ctx context.Context, id int64) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM secrets WHERE id = ?`, id)
		return touched(result, err, errNoSecret)
	})
}

// HasSealed reports whether anything is stored that was encrypted.
func (s *Store) HasSealed(ctx context.Context) (has bool, err error) {
	err = s.r.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM secrets UNION ALL SELECT 1 FROM connections UNION ALL SELECT 1 FROM webhooks)`).Scan(&has)
	return has, fail(err)
}

// NoteAccount records that a registry is used with accounts.
func (s *Store) NoteAccount(ctx context.Context, host string) error {
	return s.write(ctx, func(tx *sql.Tx) error { return noteAccount(ctx, tx, host) })
}

func noteAccount(ctx context.Context, tx *sql.Tx, host string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO account_hosts (host) VALUES (?) ON CONFLICT DO NOTHING`, catalog.WithoutPort(host))
	return err
}

// HadAccount reports whether a registry was ever used with an account.
func (s *Store) HadAccount(ctx context.Context, host string) (bool, error) {
	var found int
	err := s.r.QueryRowContext(ctx, `SELECT 1 FROM account_hosts WHERE host = ?`, catalog.WithoutPort(host)).Scan(&found)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, fail(err)
}
