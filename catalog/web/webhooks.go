package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

// webhooksData is what the page of an image's webhooks shows.
type webhooksData struct {
	Image    catalog.Image
	Tabs     []tab
	Webhooks []catalog.Webhook
	Kinds    []catalog.EventKind
	Secret   string // of a webhook that was just created; empty: none was
}

func (c *call) webhooksPage() error { return c.showWebhooks("") }

func (c *call) showWebhooks(secret string) error {
	image, err := c.image()
	if err != nil {
		return err
	}
	data := webhooksData{Image: image, Tabs: imageTabs(image.Ref, "webhooks", true), Kinds: catalog.WebhookEvents(), Secret: secret}
	if data.Webhooks, err = c.server.config.Webhooks.List(c.r.Context(), c.namespace, image.ID); err != nil {
		return err
	}
	return c.show(http.StatusOK, "webhooks", "webhooks", data)
}

func (c *call) createWebhook() error {
	image, err := c.image()
	if err != nil {
		return err
	}
	webhook, secret, err := c.server.config.Webhooks.Create(c.r.Context(), catalog.Webhook{
		Namespace: c.namespace, ImageID: image.ID, URL: c.field("url"), Events: strings.Join(c.form["events"], " "), UserID: c.id.User.ID,
	}, c.form.Get("secret"))
	if err != nil {
		return err
	}
	var host string // the rest of the address may be a secret
	if u, err := url.Parse(webhook.URL); err == nil {
		host = u.Host
	}
	c.audit("webhook created", "namespace", c.namespace, "image_id", image.ID, "host", host)
	c.form = nil // it is done; the next one begins empty
	return c.showWebhooks(secret)
}

// webhook returns the image and the number of the webhook that the path names.
func (c *call) webhook() (image catalog.Image, id int64, err error) {
	if image, err = c.image(); err == nil {
		id, err = c.pathID()
	}
	return image, id, err
}

func (c *call) deleteWebhook() error {
	image, id, err := c.webhook()
	if err != nil {
		return err
	}
	if err := c.server.config.Webhooks.Delete(c.r.Context(), c.namespace, image.ID, id); err != nil {
		return err
	}
	c.audit("webhook deleted", "namespace", c.namespace, "webhook", id)
	return c.done(settingsOf(image.Ref, "/webhooks"), "webhook_deleted")
}

// deliveriesData is what the page of a webhook's deliveries shows.
type deliveriesData struct {
	Image      catalog.Image
	Tabs       []tab
	ID         int64
	Deliveries []delivery
	Pager      pager
}

// delivery is one with what it tells.
type delivery struct {
	catalog.Job
	Event string
	Body  string // as it is sent, but for the time of the attempt
}

func (c *call) deliveriesPage() error {
	page, err := c.page()
	if err != nil {
		return err
	}
	image, id, err := c.webhook()
	if err != nil {
		return err
	}
	data := deliveriesData{Image: image, Tabs: imageTabs(image.Ref, "webhooks", true), ID: id}
	jobs, err := c.server.config.Webhooks.Deliveries(c.r.Context(), c.namespace, image.ID, id, page)
	if err != nil {
		return err
	}
	jobs, data.Pager = cut(c, jobs, func(j catalog.Job) int64 { return j.ID })
	for _, job := range jobs {
		data.Deliveries = append(data.Deliveries, deliveryOf(job))
	}
	return c.show(http.StatusOK, "deliveries", "deliveries", data)
}

func deliveryOf(job catalog.Job) delivery {
	var told struct {
		Event string `json:"event"`
	}
	var body bytes.Buffer
	if json.Unmarshal(job.Payload, &told) != nil || json.Indent(&body, job.Payload, "", "  ") != nil {
		body.Reset() // of another version of the server; what came of it is known all the same
	}
	return delivery{job, told.Event, body.String()}
}

func (c *call) redeliver() error {
	image, id, err := c.webhook()
	if err != nil {
		return err
	}
	number, err := c.whole("delivery")
	if err != nil {
		return err
	}
	if err := c.server.config.Webhooks.Redeliver(c.r.Context(), c.namespace, image.ID, id, number); err != nil {
		return err
	}
	c.audit("webhook delivery repeated", "namespace", c.namespace, "webhook", id, "delivery", number)
	return c.done(settingsOf(image.Ref, "/webhooks/"+strconv.FormatInt(id, 10)), "redelivered")
}
