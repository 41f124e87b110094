package rest

import (
	"net/url"
	"strconv"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

// webhookImage returns the ID of the image that the path names, 0 for a path
// of a whole namespace.
func (c *call) webhookImage() (int64, error) {
	if c.r.PathValue("name") == "" {
		return 0, nil
	}
	image, err := c.image()
	return image.ID, err
}

func (c *call) createWebhook(in api.CreateWebhook) (api.Webhook, error) {
	imageID, err := c.webhookImage()
	if err != nil {
		return api.Webhook{}, err
	}
	webhook, secret, err := c.server.config.Webhooks.Create(c.r.Context(), catalog.Webhook{
		Namespace: c.namespace, ImageID: imageID, URL: in.URL, Events: in.Events, UserID: c.id.User.ID,
	}, in.Secret)
	if err != nil {
		return api.Webhook{}, about("url", err)
	}
	c.audit("webhook created", "namespace", c.namespace, "image_id", imageID, "host", hostOf(webhook.URL))
	out := webhookOf(webhook)
	out.Secret = secret
	return out, nil
}

// hostOf is what may be logged of an address, the rest of which may be a secret.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

func (c *call) listWebhooks() ([]api.Webhook, error) {
	imageID, err := c.webhookImage()
	if err != nil {
		return nil, err
	}
	webhooks, err := c.server.config.Webhooks.List(c.r.Context(), c.namespace, imageID)
	return convertAll(webhooks, webhookOf), err
}

// webhookPath returns the image and webhook that the path names.
func (c *call) webhookPath() (imageID, id int64, err error) {
	if imageID, err = c.webhookImage(); err != nil {
		return 0, 0, err
	}
	if id, err = strconv.ParseInt(c.r.PathValue("id"), 10, 64); err != nil {
		return 0, 0, catalog.Errorf(catalog.NotFound, "webhook %q does not exist", c.r.PathValue("id"))
	}
	return imageID, id, nil
}

func (c *call) deleteWebhook() error {
	imageID, id, err := c.webhookPath()
	if err != nil {
		return err
	}
	if err := c.server.config.Webhooks.Delete(c.r.Context(), c.namespace, imageID, id); err != nil {
		return err
	}
	c.audit("webhook deleted", "namespace", c.namespace, "webhook", id)
	return c.deleted("Webhook Deleted Successfully")
}

func (c *call) webhookDeliveries() ([]api.WebhookDelivery, error) {
	imageID, id, err := c.webhookPath()
	if err != nil {
		return nil, err
	}
	return list(c, func(page catalog.Page) ([]catalog.Job, error) {
		return c.server.config.Webhooks.Deliveries(c.r.Context(), c.namespace, imageID, id, page)
	}, func(j catalog.Job) int64 { return j.ID }, func(j catalog.Job) api.WebhookDelivery {
		return api.WebhookDelivery{ID: j.ID, Delivery: j.Key, State: string(j.State), Attempts: j.Attempts, Answer: j.Answer, At: api.Time{Time: j.CreatedAt}}
	})
}

func (c *call) redeliver() (api.Message, error) {
	imageID, id, err := c.webhookPath()
	if err != nil {
		return api.Message{}, err
	}
	delivery, err := strconv.ParseInt(c.r.PathValue("delivery"), 10, 64)
	if err != nil {
		return api.Message{}, catalog.Errorf(catalog.NotFound, "delivery %q does not exist", c.r.PathValue("delivery"))
	}
	if err := c.server.config.Webhooks.Redeliver(c.r.Context(), c.namespace, imageID, id, delivery); err != nil {
		return api.Message{}, err
	}
	c.audit("webhook delivery repeated", "namespace", c.namespace, "webhook", id, "delivery", delivery)
	return messageOK("The delivery is being sent again"), nil
}

func webhookOf(w catalog.Webhook) api.Webhook {
	events := w.Events
	if events == "" {
		for _, e := range catalog.WebhookEvents() {
			if events != "" {
				events += " "
			}
			events += string(e)
		}
	}
	return api.Webhook{ID: w.ID, URL: w.URL, Events: events, CreatedAt: api.Time{Time: w.CreatedAt}}
}
