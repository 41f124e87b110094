package sqlite

import (
	"context"
	"database/sql"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	countTokens     = `SELECT count(*) FROM tokens WHERE user_id = ?`
	countKeys       = `SELECT count(*) FROM keys WHERE user_id = ?`
	countNamespaces = `SELECT count(*) FROM namespaces WHERE creator_id = ?`
	countImages     = `SELECT count(*) FROM images WHERE owner_id = ?`
	countWebhooks   = `SELECT count(*) FROM webhooks WHERE user_id = ?`
	countSecrets    = `SELECT count(*) FROM secrets WHERE user_id = ?`

	// forgetTokens removes a user's tokens that have expired.
	forgetTokens = `DELETE FROM tokens WHERE user_id = ? AND expires_at BETWEEN 1 AND ?`
)

// within refuses one more of what a user has as many of as may be.
func within(ctx context.Context, tx *sql.Tx, limit int, what, count string, userID int64) error {
	var have int
	err := tx.QueryRowContext(ctx, count, userID).Scan(&have)
	if err == nil && limit > 0 && have >= limit {
		err = catalog.Errorf(catalog.Forbidden, "you have reached the limit of %d %s; delete some that you no longer need", limit, what)
	}
	return err
}
