package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newWebhookDeleteCommand(a *app) *cobra.Command {
	var o webhookOwner
	cmd := &cobra.Command{
		Use:     "delete ID",
		Short:   "Delete a webhook",
		Long:    `Delete a webhook by the ID that webhook list shows.`,
		Example: `  fandogh webhook delete 3 --image shop`,
		Args:    usage.ExactArgs("ID"),
		RunE:    func(cmd *cobra.Command, args []string) error { return runWebhookDelete(cmd.Context(), a, args[0], o) },
	}
	o.addFlag(cmd, a)
	return cmd
}

func runWebhookDelete(ctx context.Context, a *app, text string, o webhookOwner) error {
	id, err := parseID(text, "webhook")
	if err != nil {
		return err
	}
	c, err := o.client(ctx, a)
	if err != nil {
		return err
	}
	if err := c.DeleteWebhook(ctx, o.namespace, o.image, id); err != nil {
		return err
	}
	a.print("Webhook Deleted Successfully")
	return nil
}
