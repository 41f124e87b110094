package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

type webhookListOptions struct {
	webhookOwner
	output
}

func newWebhookListCommand(a *app) *cobra.Command {
	var o webhookListOptions
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List webhooks",
		Long:    `List the webhooks of an image or, without --image, of the whole namespace.`,
		Example: `  fandogh webhook list --image shop`,
		Args:    usage.ExactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runWebhookList(cmd.Context(), a, o) },
	}
	o.webhookOwner.addFlag(cmd, a)
	o.output.addFlag(cmd)
	return cmd
}

func runWebhookList(ctx context.Context, a *app, o webhookListOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	c, err := o.client(ctx, a)
	if err != nil {
		return err
	}
	webhooks, err := c.Webhooks(ctx, o.namespace, o.image)
	if err != nil {
		return err
	}
	return o.show(a, webhooks, func(w *table) {
		w.heads("ID", "URL", "EVENTS", "CREATED")
		for _, hook := range webhooks {
			row(w, strconv.FormatInt(hook.ID, 10), hook.URL, hook.Events, w.time(hook.CreatedAt))
		}
	})
}
