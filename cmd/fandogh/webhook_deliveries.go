package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/client"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newWebhookDeliveriesCommand(a *app) *cobra.Command {
	var o webhookListOptions
	cmd := &cobra.Command{
		Use:     "deliveries ID",
		Short:   "Show recent deliveries of a webhook",
		Long:    `Show the deliveries of a webhook within the last week, newest first, with the last response to each.`,
		Example: `  fandogh webhook deliveries 3 --image shop`,
		Args:    usage.ExactArgs("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runWebhookDeliveries(cmd.Context(), a, args[0], o)
		},
	}
	o.webhookOwner.addFlag(cmd, a)
	o.output.addFlag(cmd)
	return cmd
}

func runWebhookDeliveries(ctx context.Context, a *app, text string, o webhookListOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	id, err := parseID(text, "webhook")
	if err != nil {
		return err
	}
	c, err := o.client(ctx, a)
	if err != nil {
		return err
	}
	deliveries, err := client.Collect(c.WebhookDeliveries(ctx, o.namespace, o.image, id), 0)
	if err != nil {
		return err
	}
	return o.show(a, deliveries, func(w *table) {
		w.heads("DELIVERY", "STATE", "ATTEMPTS", "WHEN", "LAST RESPONSE")
		for _, d := range deliveries {
			row(w, d.Delivery, d.State, w.count(d.Attempts), w.time(d.At), oneLine(d.Answer, 80))
		}
	})
}
