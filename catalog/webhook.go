package catalog

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Webhook is an address that is told of events.
type Webhook struct {
	ID          int64
	NamespaceID int64
	Namespace   string
	ImageID     int64 // 0: every image of the namespace
	URL         string
	Events      string // kinds with blanks between them; empty: WebhookEvents
	Sealed      []byte // the secret, encrypted by hooks/notify, which alone reads it
	SealedFor   string // the namespace that it was encrypted for: that of the image before it was transferred
	UserID      int64
	CreatedAt   time.Time
}

// WebhookEvents are the kinds a webhook may ask for.
func WebhookEvents() []EventKind {
	return []EventKind{EventBuildStarted, EventBuildFinished, EventVersionCreated, EventVersionDeleted, EventImageTransferred}
}

// Wants reports whether the webhook is to be told of an event.
func (w Webhook) Wants(e Event) bool {
	if w.NamespaceID != e.NamespaceID || w.ImageID != 0 && w.ImageID != e.ImageID {
		return false
	}
	if w.Events == "" {
		return slices.Contains(WebhookEvents(), e.Kind)
	}
	return slices.Contains(strings.Fields(w.Events), string(e.Kind))
}

// Webhooks stores webhooks.
type Webhooks interface {
	// CreateWebhook stores a webhook; ID, NamespaceID and CreatedAt are the
	// store's. Errors: NotFound (namespace or image), Conflict (the address is
	// there already).
	CreateWebhook(ctx context.Context, w Webhook) (Webhook, error)
	// Webhook returns one. Errors: NotFound.
	Webhook(ctx context.Context, id int64) (Webhook, error)
	// ListWebhooks returns the webhooks of a namespace that are for all its
	// images, or with an image those of that image, oldest first.
	ListWebhooks(ctx context.Context, namespace string, imageID int64) ([]Webhook, error)
	// WebhooksFor returns the webhooks of a namespace that an image's events
	// may concern.
	WebhooksFor(ctx context.Context, namespaceID, imageID int64) ([]Webhook, error)
	// DeleteWebhook removes a webhook. Errors: NotFound.
	DeleteWebhook(ctx context.Context, id int64) error
}

// WebhookControl manages webhooks for a user whom the caller has authorized.
// hooks/notify implements it.
type WebhookControl interface {
	// Create stores a webhook. An empty secret has one made; the secret is
	// returned this once. Errors: Invalid, NotFound, Conflict.
	Create(ctx context.Context, w Webhook, secret string) (Webhook, string, error)
	// List is as Webhooks.ListWebhooks.
	List(ctx context.Context, namespace string, imageID int64) ([]Webhook, error)
	// Delete removes a webhook of a namespace and, unless 0, image. Errors: NotFound.
	Delete(ctx context.Context, namespace string, imageID, id int64) error
	// Deliveries returns what was sent lately, newest first. Errors: NotFound.
	Deliveries(ctx context.Context, namespace string, imageID, id int64, page Page) ([]Job, error)
	// Redeliver sends a delivery again, under the ID that receivers know it by. Errors: NotFound, Conflict (it is being sent).
	Redeliver(ctx context.Context, namespace string, imageID, id, delivery int64) error
}
