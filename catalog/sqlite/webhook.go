package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"slices"

	"github.com/fandoghpaas/fandogh/catalog"
)

const selectWebhook = `SELECT webhooks.id, webhooks.namespace_id, namespaces.name, coalesce(webhooks.image_id, 0), webhooks.url, webhooks.events,
		webhooks.sealed, webhooks.sealed_for, coalesce(webhooks.user_id, 0), webhooks.created_at
	FROM webhooks JOIN namespaces ON namespaces.id = webhooks.namespace_id `

const selectWebhooksFor = selectWebhook + `WHERE webhooks.namespace_id = ? AND coalesce(webhooks.image_id, 0) IN (0, ?)`

func scanWebhook(row scanner) (w catalog.Webhook, err error) {
	return w, row.Scan(&w.ID, &w.NamespaceID, &w.Namespace, &w.ImageID, &w.URL, &w.Events, &w.Sealed, &w.SealedFor, &w.UserID, timeColumn{&w.CreatedAt})
}

var errNoWebhook = catalog.Errorf(catalog.NotFound, "the webhook does not exist")

// CreateWebhook stores a webhook.
func (s *Store) CreateWebhook(ctx context.Context, w catalog.Webhook) (catalog.Webhook, error) {
	return writeFor(ctx, s, func(tx *sql.Tx) (catalog.Webhook, error) {
		namespace, err := namespaceByName(ctx, tx, w.Namespace)
		if err != nil {
			return w, err
		}
		if err := within(ctx, tx, s.limits.Load().Webhooks, "webhooks", countWebhooks, w.UserID); err != nil {
			return w, err
		}
		var id int64
		err = tx.QueryRowContext(ctx, `INSERT INTO webhooks (namespace_id, image_id, url, events, sealed, user_id, created_at)
			VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			namespace.ID, orNull(w.ImageID), w.URL, w.Events, w.Sealed, orNull(w.UserID), toMicros(s.now())).Scan(&id)
		switch {
		case taken(err):
			err = catalog.Errorf(catalog.Conflict, "a webhook for this URL already exists; delete it first to change it")
		case dangling(err):
			err = catalog.Errorf(catalog.NotFound, "the image or user does not exist")
		}
		if err != nil {
			return w, err
		}
		return one(ctx, tx, scanWebhook, errNoWebhook, selectWebhook+`WHERE webhooks.id = ?`, id)
	})
}

// Webhook returns one webhook.
func (s *Store) Webhook(ctx context.Context, id int64) (catalog.Webhook, error) {
	return one(ctx, s.r, scanWebhook, errNoWebhook, selectWebhook+`WHERE webhooks.id = ?`, id)
}

// ListWebhooks returns the webhooks of a namespace or of one image.
func (s *Store) ListWebhooks(ctx context.Context, namespace string, imageID int64) ([]catalog.Webhook, error) {
	webhooks, err := all(ctx, s.r, scanWebhook, selectWebhook+`WHERE namespaces.name = ? AND coalesce(webhooks.image_id, 0) = ?`, namespace, imageID)
	slices.SortFunc(webhooks, func(a, b catalog.Webhook) int { return cmp.Compare(a.ID, b.ID) })
	return webhooks, err
}

// WebhooksFor returns the webhooks that an image's events may concern.
func (s *Store) WebhooksFor(ctx context.Context, namespaceID, imageID int64) ([]catalog.Webhook, error) {
	return all(ctx, s.r, scanWebhook, selectWebhooksFor, namespaceID, imageID)
}

// DeleteWebhook removes a webhook.
func (s *Store) DeleteWebhook(ctx context.Context, id int64) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM webhooks WHERE id = ?`, id)
		return touched(result, err, errNoWebhook)
	})
}
