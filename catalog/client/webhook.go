package client

import (
	"context"
	"iter"
	"net/http"
	"strconv"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

// webhooks is the path of an image's webhooks or, without one, of the namespace's.
func webhooks(namespace, image string, rest ...string) []string {
	if image != "" {
		return append([]string{"images", image, "webhooks"}, rest...)
	}
	return append([]string{"namespaces", namespace, "webhooks"}, rest...)
}

// CreateWebhook names an address to be told; the answer holds its secret.
func (c *Client) CreateWebhook(ctx context.Context, namespace, image string, in api.CreateWebhook) (api.Webhook, error) {
	return ask[api.Webhook](ctx, c, http.MethodPost, in, webhooks(namespace, image)...)
}

// Webhooks lists the addresses that are told of an image or a whole namespace.
func (c *Client) Webhooks(ctx context.Context, namespace, image string) ([]api.Webhook, error) {
	return ask[[]api.Webhook](ctx, c, http.MethodGet, nil, webhooks(namespace, image)...)
}

// DeleteWebhook tells an address no more.
func (c *Client) DeleteWebhook(ctx context.Context, namespace, image string, id int64) error {
	return c.remove(ctx, webhooks(namespace, image, strconv.FormatInt(id, 10))...)
}

// WebhookDeliveries lists what was sent within the last week, newest first.
func (c *Client) WebhookDeliveries(ctx context.Context, namespace, image string, id int64) iter.Seq2[api.WebhookDelivery, error] {
	return pages[api.WebhookDelivery](ctx, c, nil, webhooks(namespace, image, strconv.FormatInt(id, 10), "deliveries")...)
}

// RedeliverWebhook has a delivery sent again, under its ID.
func (c *Client) RedeliverWebhook(ctx context.Context, namespace, image string, id, delivery int64) error {
	_, err := ask[api.Message](ctx, c, http.MethodPost, nil, webhooks(namespace, image, strconv.FormatInt(id, 10), "deliveries", strconv.FormatInt(delivery, 10), "redeliver")...)
	return err
}
