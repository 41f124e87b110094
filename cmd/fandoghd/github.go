package main

import (
	"context"
	"fmt"
	"net/url"
	"os"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/hooks/github"
	"github.com/fandoghpaas/fandogh/hooks/jobs"
	"github.com/fandoghpaas/fandogh/hooks/notify"
	"github.com/fandoghpaas/fandogh/hooks/secrets"
)

// openGitHub makes the connections to GitHub and the webhooks that tell others.
func (d *daemon) openGitHub(context.Context) error {
	box, err := secrets.Open(d.config.DataPath("secrets.key"))
	if err != nil {
		return err
	}
	c := d.config.GitHub
	app := github.App{ID: c.App.ID, WebhookSecret: c.App.WebhookSecret}
	if c.App.Key != "" {
		if app.Key, err = os.ReadFile(c.App.Key); err != nil {
			return fmt.Errorf("github.app.key: %w", err)
		}
	}
	limits := d.config.SSH
	d.github, err = github.New(github.Config{
		Store: d.store, Judge: d.hooks, Queue: d.builder, Sources: d.repos, Fetcher: d.repos, Secrets: box,
		BaseURL: c.BaseURL, APIURL: c.APIURL, SSHURL: c.SSHURL, App: app,
		KnownHosts:   d.config.DataPath("known_hosts"),
		WebhookURL:   func() string { return d.addresses.PublicURL + webhookPath },
		BuildURL:     d.buildURL,
		MaxPayload:   int64(c.MaxDelivery),
		MaxPackBytes: int64(limits.MaxPack), MaxObjectBytes: int64(limits.MaxObject), MaxObjects: int64(limits.MaxObjects),
		SyncInterval: c.SyncInterval.Std(), SyncLimit: c.SyncLimit,
		Owner:  owner(),
		Logger: d.log.Named("github"),
	})
	if err != nil {
		return err
	}
	d.webhooks = notify.New(notify.Config{
		Store: d.store, Secrets: box, AllowPrivate: d.config.Webhooks.AllowPrivate, Owner: owner(), Logger: d.log.Named("webhooks"),
	})
	return nil
}

// webhookPath is where GitHub delivers.
const webhookPath = "/webhooks/github"

// buildURL is where a person finds a build's log.
func (d *daemon) buildURL(b catalog.Build) string {
	return fmt.Sprintf("%s/api/images/%s/versions/%s/builds/%d/log", d.addresses.PublicURL, url.PathEscape(b.Image.Name), url.PathEscape(b.Version), b.Number)
}

// hookParts are what runs for openGitHub.
func (d *daemon) hookParts() []part {
	return []part{
		{"github", d.github.Run},
		{"webhooks", d.webhooks.Run},
		{"prune", func(ctx context.Context) error { return jobs.Prune(ctx, d.store, d.log) }},
	}
}
