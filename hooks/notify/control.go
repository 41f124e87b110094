package notify

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/reserved"
)

// Create implements catalog.WebhookControl.
func (s *Service) Create(ctx context.Context, w catalog.Webhook, secret string) (catalog.Webhook, string, error) {
	if err := s.checkAddress(w.URL); err != nil {
		return w, "", err
	}
	if err := checkEvents(&w); err != nil {
		return w, "", err
	}
	secret, err := newSecret(secret)
	if err != nil {
		return w, "", err
	}
	w.Sealed = s.config.Secrets.Seal([]byte(secret), about(w.Namespace, w.URL))
	w, err = s.config.Store.CreateWebhook(ctx, w)
	w.Sealed = nil
	return w, secret, err
}

// checkAddress refuses what could never be told. What a name resolves to is
// checked when it is connected to.
func (s *Service) checkAddress(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return catalog.FieldErrorf("url", "%q is not a URL that begins with https:// or http://", address)
	case u.User != nil || u.Fragment != "":
		return catalog.FieldErrorf("url", "the URL must not contain a password or a #fragment; deliveries are signed with the secret")
	case len(address) > 2000:
		return catalog.FieldErrorf("url", "the URL is longer than 2000 characters")
	}
	ip, err := netip.ParseAddr(u.Hostname())
	private := err == nil && reserved.Contain(ip) || strings.EqualFold(u.Hostname(), "localhost")
	if private && !s.config.AllowPrivate {
		return catalog.FieldErrorf("url", "%s is not an address on the public Internet; ask the server's administrator to allow such addresses", u.Hostname())
	}
	return nil
}

func checkEvents(w *catalog.Webhook) error {
	events := strings.FieldsFunc(w.Events, func(r rune) bool { return r == ',' || r == ' ' })
	for _, e := range events {
		if !slices.Contains(catalog.WebhookEvents(), catalog.EventKind(e)) {
			return catalog.FieldErrorf("events", "%q is not a valid event; the events are %v", e, catalog.WebhookEvents())
		}
	}
	w.Events = strings.Join(events, " ")
	return nil
}

// List implements catalog.WebhookControl.
func (s *Service) List(ctx context.Context, namespace string, imageID int64) ([]catalog.Webhook, error) {
	webhooks, err := s.config.Store.ListWebhooks(ctx, namespace, imageID)
	for i := range webhooks {
		webhooks[i].Sealed = nil
	}
	return webhooks, err
}

// check reports whether a webhook is one of the namespace and image. Errors: NotFound.
func (s *Service) check(ctx context.Context, namespace string, imageID, id int64) error {
	w, err := s.config.Store.Webhook(ctx, id)
	if err == nil && (!strings.EqualFold(w.Namespace, namespace) || w.ImageID != imageID) {
		return catalog.Errorf(catalog.NotFound, "the webhook does not exist")
	}
	return err
}

// Delete implements catalog.WebhookControl.
func (s *Service) Delete(ctx context.Context, namespace string, imageID, id int64) error {
	if err := s.check(ctx, namespace, imageID, id); err != nil {
		return err
	}
	return s.config.Store.DeleteWebhook(ctx, id)
}

// Deliveries implements catalog.WebhookControl.
func (s *Service) Deliveries(ctx context.Context, namespace string, imageID, id int64, page catalog.Page) ([]catalog.Job, error) {
	if err := s.check(ctx, namespace, imageID, id); err != nil {
		return nil, err
	}
	return s.config.Store.ListJobs(ctx, Kind, id, page)
}

// Redeliver implements catalog.WebhookControl.
func (s *Service) Redeliver(ctx context.Context, namespace string, imageID, id, delivery int64) error {
	if err := s.check(ctx, namespace, imageID, id); err != nil {
		return err
	}
	return s.worker.Repeat(ctx, Kind, id, delivery)
}
