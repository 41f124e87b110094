package main

import (
	"context"
	"fmt"
	"os"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/web"
	"github.com/fandoghpaas/fandogh/hooks"
	"github.com/fandoghpaas/fandogh/hooks/archive"
	"github.com/fandoghpaas/fandogh/hooks/github"
	"github.com/fandoghpaas/fandogh/hooks/jobs"
	"github.com/fandoghpaas/fandogh/hooks/notify"
	"github.com/fandoghpaas/fandogh/hooks/signing"
	"github.com/fandoghpaas/fandogh/internal/sbom"
	"github.com/fandoghpaas/fandogh/internal/version"
)

// openHooks makes what takes pushes, uploads and deliveries to the builder, and the webhooks that tell others.
func (d *daemon) openHooks(context.Context) error {
	d.hooks = hooks.New(hooks.Config{
		Store: d.store, Submitter: d.builder, Logs: d.builder, Control: d.builder, Sources: d.repos, Tags: d.accounts, Prospects: d.builder, Admission: d.quota,
		SSHAddress:     func() string { return d.addresses.PublicSSH },
		PublicRegistry: d.addresses.publicHost,
		Logger:         d.log.Named("hooks"),
	})
	var err error
	u := d.config.Uploads
	d.uploads, err = hooks.NewUploads(d.hooks, hooks.UploadConfig{
		Writer: d.repos, SpoolDir: d.config.DataPath("uploads"),
		Limits: archive.Limits{Bytes: int64(u.MaxArchive), Unpacked: int64(u.MaxUnpacked), Entries: u.MaxEntries},
	})
	if err != nil {
		return err
	}
	d.webhooks = notify.New(notify.Config{
		Store: d.measured, Secrets: d.keyring, AllowPrivate: d.config.Webhooks.AllowPrivate, WorkerID: workerID(), Logger: d.log.Named("webhooks"),
	})
	keys := signingKeys(d.config.Data, d.config.Signing)
	if _, err := keys.Current(); err != nil {
		return err
	}
	lister, err := sbom.New(d.config.DataPath("sbom"), d.log.Named("sbom"))
	if err != nil {
		return err
	}
	d.signing = signing.New(signing.Config{
		Store: d.store, Registry: d.registry, Origins: d.repos, Keys: keys, Lister: lister, SBOMs: d.config.Signing.SBOM, Room: d.disk.Err, Rebuilder: d.builder,
		PublicRegistry: d.addresses.publicHost, PublicURL: func() string { return d.addresses.PublicURL },
		Version: version.String(), Logger: d.log.Named("signing"),
	})
	return d.openGitHub()
}

// openGitHub makes the connections to GitHub.
func (d *daemon) openGitHub() error {
	c := d.config.GitHub
	app := github.App{ID: c.App.ID}
	var err error
	if app.WebhookSecret, err = c.App.Secret(); err != nil {
		return fmt.Errorf("github.app.webhook_secret_file: %w", err)
	}
	if c.App.Key != "" {
		if app.Key, err = os.ReadFile(c.App.Key); err != nil {
			return fmt.Errorf("github.app.key: %w", err)
		}
	}
	limits := d.config.SSH
	d.github, err = github.New(github.Config{
		Store: d.measured, Policy: d.hooks, Queue: d.builder, Sources: d.repos, Prospects: d.builder, Fetcher: d.repos, Admission: d.quota, Secrets: d.keyring,
		BaseURL: c.BaseURL, APIURL: c.APIURL, SSHURL: c.SSHURL, App: app,
		KnownHosts:   d.config.DataPath("known_hosts"),
		WebhookURL:   func() string { return d.addresses.PublicURL + webhookPath },
		BuildURL:     d.buildURL,
		MaxPayload:   int64(c.MaxDelivery),
		MaxPackBytes: int64(limits.MaxPack), MaxObjectBytes: int64(limits.MaxObject), MaxObjects: int64(limits.MaxObjects),
		SyncInterval: c.SyncInterval.Std(), SyncLimit: c.SyncLimit,
		WorkerID: workerID(),
		Logger:   d.log.Named("github"),
	})
	return err
}

// webhookPath is where GitHub delivers.
const webhookPath = "/webhooks/github"

// buildURL is where a person finds a build.
func (d *daemon) buildURL(b catalog.Build) string {
	return d.addresses.PublicURL + web.BuildPath(b)
}

// hookServices are what runs of what openHooks makes.
func (d *daemon) hookServices() []service {
	return []service{
		{"github", d.github.Run},
		{"webhooks", d.webhooks.Run},
		{"signing", d.signing.Run},
		{"prune", func(ctx context.Context) error { return jobs.Prune(ctx, d.store, d.log) }},
	}
}
