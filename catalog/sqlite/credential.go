package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

const keyColumns = `keys.id, keys.user_id, keys.name, keys.fingerprint, keys.public_key, keys.created_at, keys.kind`

func keyFields(k *catalog.Key) []any {
	return []any{&k.ID, &k.UserID, &k.Name, &k.Fingerprint, &k.PublicKey, timeColumn{&k.CreatedAt}, &k.Kind}
}

func scanKey(row scanner) (k catalog.Key, err error) {
	return k, row.Scan(keyFields(&k)...)
}

// CreateKey stores a public key.
func (s *Store) CreateKey(ctx context.Context, n catalog.NewKey) (catalog.Key, error) {
	return writeFor(ctx, s, func(tx *sql.Tx) (catalog.Key, error) {
		if err := within(ctx, tx, s.limits.Load().Keys, "keys", countKeys, n.UserID); err != nil {
			return catalog.Key{}, err
		}
		k, err := scanKey(tx.QueryRowContext(ctx, `INSERT INTO keys (user_id, kind, name, fingerprint, public_key, key_ids, created_at)
			VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING `+keyColumns,
			n.UserID, cmp.Or(n.Kind, catalog.KeySSH), n.Name, n.Fingerprint, n.PublicKey, strings.Join(n.KeyIDs, " "), toMicros(s.now())))
		switch {
		case taken(err):
			err = catalog.Errorf(catalog.Conflict, "key %s already belongs to a user; a key can belong to only one", n.Fingerprint)
		case dangling(err):
			err = errNoUser
		}
		return k, err
	})
}

// UserByKey returns the user a fingerprint belongs to.
func (s *Store) UserByKey(ctx context.Context, fingerprint string) (catalog.User, error) {
	return one(ctx, s.r, scanUser, catalog.Errorf(catalog.NotFound, "key %s does not belong to any user", fingerprint),
		`SELECT `+userColumns+` FROM keys JOIN users ON users.id = keys.user_id WHERE keys.fingerprint = ? AND keys.kind = ? AND users.disabled_at = 0`, fingerprint, catalog.KeySSH)
}

// ListKeys returns a user's keys, newest first.
func (s *Store) ListKeys(ctx context.Context, userID int64) ([]catalog.Key, error) {
	return all(ctx, s.r, scanKey, `SELECT `+keyColumns+` FROM keys WHERE user_id = ? ORDER BY id DESC`, userID)
}

// DeleteKey removes a user's key.
func (s *Store) DeleteKey(ctx context.Context, userID, keyID int64) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM keys WHERE id = ? AND user_id = ?`, keyID, userID)
		return touched(result, err, catalog.Errorf(catalog.NotFound, "key %d does not exist; list the user's keys to see their IDs", keyID))
	})
}

const tokenColumns = `tokens.id, tokens.user_id, tokens.name, tokens.scope, tokens.created_at, tokens.expires_at, coalesce(tokens.parent_id, 0)`

func tokenFields(t *catalog.Token) []any {
	return []any{&t.ID, &t.UserID, &t.Name, &t.Scope, timeColumn{&t.CreatedAt}, timeColumn{&t.ExpiresAt}, &t.ParentID}
}

func scanToken(row scanner) (t catalog.Token, err error) {
	return t, row.Scan(tokenFields(&t)...)
}

// CreateToken stores a token's hash.
func (s *Store) CreateToken(ctx context.Context, n catalog.NewToken) (catalog.Token, error) {
	return writeFor(ctx, s, func(tx *sql.Tx) (catalog.Token, error) {
		if _, err := tx.ExecContext(ctx, forgetTokens, n.UserID, toMicros(s.now())); err != nil {
			return catalog.Token{}, err
		}
		if err := within(ctx, tx, s.limits.Load().Tokens, "tokens", countTokens, n.UserID); err != nil {
			return catalog.Token{}, err
		}
		t, err := scanToken(tx.QueryRowContext(ctx, `INSERT INTO tokens (user_id, name, hash, scope, created_at, expires_at, parent_id)
			VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING `+tokenColumns,
			n.UserID, n.Name, n.Hash, n.Scope, toMicros(s.now()), toMicros(n.ExpiresAt), orNull(n.ParentID)))
		switch {
		case taken(err):
			err = catalog.Errorf(catalog.Conflict, "this token already exists")
		case dangling(err):
			err = errNoUser
		}
		return t, err
	})
}

// TokenByHash returns an unexpired token and its user.
func (s *Store) TokenByHash(ctx context.Context, hash []byte, now time.Time) (t catalog.Token, u catalog.User, err error) {
	row := s.r.QueryRowContext(ctx, `SELECT `+tokenColumns+`, `+userColumns+`
		FROM tokens JOIN users ON users.id = tokens.user_id
		WHERE tokens.hash = ? AND users.disabled_at = 0 AND (tokens.expires_at = 0 OR tokens.expires_at > ?)`, hash, toMicros(now))
	err = row.Scan(append(tokenFields(&t), userFields(&u)...)...)
	if errors.Is(err, sql.ErrNoRows) {
		err = catalog.Errorf(catalog.NotFound, "the token does not exist or has expired")
	}
	return t, u, fail(err)
}

// ListTokens returns a user's tokens, newest first.
func (s *Store) ListTokens(ctx context.Context, userID int64) ([]catalog.Token, error) {
	return all(ctx, s.r, scanToken, `SELECT `+tokenColumns+` FROM tokens WHERE user_id = ? ORDER BY id DESC`, userID)
}

// DeleteToken revokes a user's token.
func (s *Store) DeleteToken(ctx context.Context, userID, tokenID int64) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM tokens WHERE id = ? AND user_id = ?`, tokenID, userID)
		return touched(result, err, catalog.Errorf(catalog.NotFound, "token %d does not exist; list the user's tokens to see their IDs", tokenID))
	})
}

// DeleteTokens revokes all tokens of a user.
func (s *Store) DeleteTokens(ctx context.Context, userID int64) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM tokens WHERE user_id = ?`, userID)
		return err
	})
}
