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

// webhooksData is what the page of the webhooks of an image or a namespace shows.
type webhooksData struct {
	Scope    scope
	Tabs     []tab
	Webhooks []catalog.Webhook
	Kinds    []catalog.EventKind
	Secret   string // of a webhook that was just created; empty: none was
}

func (c *call) webhooksPage() error { return c.showWebhooks("") }

func (c *call) showWebhooks(secret string) error {
	about, err := c.scope()
	if err != nil {
		return err
	}
	data := webhooksData{Scope: about, Tabs: about.tabs("webhooks", true), Kinds: catalog.WebhookEvents(), Secret: secret}
	if data.Webhooks, err = c.server.config.Webhooks.List(c.r.Context(), c.namespace, about.imageID()); err != nil {
		return err
	}
	return c.show(http.StatusOK, "webhooks", "webhooks", data)
}

func (c *call) createWebhook() error {
	about, err := c.scope()
	if err != nil {
		return err
	}
	webhook, secret, err := c.server.config.Webhooks.Create(c.r.Context(), catalog.Webhook{
		Namespace: c.namespace, ImageID: about.imageID(), URL: c.field("url"), Events: strings.Join(c.form["events"], " "), UserID: c.id.User.ID,
	}, c.form.Get("secret"))
	if err != nil {
		return err
	}
	var host string // the rest of the address may be a secret
	if u, err := url.Parse(webhook.URL); err == nil {
		host = u.Host
	}
	c.audit("webhook created", "namespace", c.namespace, "image_id", about.imageID(), "host", host)
	c.form = nil // it is done; the next one begins empty
	return c.showWebhooks(secret)
}

// webhook returns whose it is and the number of the webhook that the path names.
func (c *call) webhook() (about scope, id int64, err error) {
	if about, err = c.scope(); err == nil {
		id, err = c.pathID()
	}
	return about, id, err
}

func (c *call) deleteWebhook() error {
	about, id, err := c.webhook()
	if err != nil {
		return err
	}
	if err := c.server.config.Webhooks.Delete(c.r.Context(), c.namespace, about.imageID(), id); err != nil {
		return err
	}
	c.audit("webhook deleted", "namespace", c.namespace, "webhook", id)
	return c.done(about.At("/webhooks"), "webhook_deleted")
}

// deliveriesData is what the page of a webhook's deliveries shows.
type deliveriesData struct {
	Scope      scope
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
	about, id, err := c.webhook()
	if err != nil {
		return err
	}
	data := deliveriesData{Scope: about, Tabs: about.tabs("webhooks", true), ID: id}
	jobs, err := c.server.config.Webhooks.Deliveries(c.r.Context(), c.namespace, about.imageID(), id, page)
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
	about, id, err := c.webhook()
	if err != nil {
		return err
	}
	number, err := c.whole("delivery")
	if err != nil {
		return err
	}
	if err := c.server.config.Webhooks.Redeliver(c.r.Context(), c.namespace, about.imageID(), id, number); err != nil {
		return err
	}
	c.audit("webhook delivery repeated", "namespace", c.namespace, "webhook", id, "delivery", number)
	return c.done(about.At("/webhooks/"+strconv.FormatInt(id, 10)), "redelivered")
}
