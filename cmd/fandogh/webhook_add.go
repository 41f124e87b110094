package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/language"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

type webhookAddOptions struct {
	webhookOwner
	output
	events string
}

func newWebhookAddCommand(a *app) *cobra.Command {
	var o webhookAddOptions
	cmd := &cobra.Command{
		Use:   "add URL",
		Short: "Add a webhook",
		Long: `Add a webhook. Its secret is shown only once: each delivery has the
HMAC-SHA-256 of its body in the header X-Fandogh-Signature-256.

The events are build.started, build.finished, version.created, version.deleted and
image.transferred.`,
		Example: `  fandogh webhook add https://ci.example.com/fandogh --image shop
  fandogh webhook add https://ci.example.com/fandogh --events build.finished`,
		Args: usage.ExactArgs("URL"),
		RunE: func(cmd *cobra.Command, args []string) error { return runWebhookAdd(cmd.Context(), a, args[0], o) },
	}
	o.webhookOwner.addFlag(cmd, a)
	o.output.addFlag(cmd)
	cmd.Flags().StringVar(&o.events, "events", "", "`events` to send, separated by commas (default all)")
	return cmd
}

func runWebhookAdd(ctx context.Context, a *app, url string, o webhookAddOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	c, err := o.client(ctx, a)
	if err != nil {
		return err
	}
	made, err := c.CreateWebhook(ctx, o.namespace, o.image, api.CreateWebhook{URL: url, Events: o.events})
	if err != nil {
		return err
	}
	return o.show(a, made, func(w *table) {
		row(w, w.Text("Added webhook %d. Save its secret, which is not shown again:", language.Plain(made.ID)))
		row(w, made.Secret)
	})
}
