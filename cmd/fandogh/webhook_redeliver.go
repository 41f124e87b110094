package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/client"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newWebhookRedeliverCommand(a *app) *cobra.Command {
	var o webhookOwner
	cmd := &cobra.Command{
		Use:   "redeliver ID DELIVERY",
		Short: "Send a delivery of a webhook again",
		Long: `Send a delivery of the last week again, by what webhook deliveries shows of it, which
is also its X-Fandogh-Delivery header. The receiver gets the same under that header.`,
		Example: `  fandogh webhook redeliver 3 3-41 --image shop`,
		Args:    usage.ExactArgs("ID", "DELIVERY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runWebhookRedeliver(cmd.Context(), a, args[0], args[1], o)
		},
	}
	o.addFlag(cmd, a)
	return cmd
}

func runWebhookRedeliver(ctx context.Context, a *app, text, delivery string, o webhookOwner) error {
	id, err := parseID(text, "webhook")
	if err != nil {
		return err
	}
	c, err := o.client(ctx, a)
	if err != nil {
		return err
	}
	number, err := findDelivery(ctx, c, o, id, delivery)
	if err != nil {
		return err
	}
	if err := c.RedeliverWebhook(ctx, o.namespace, o.image, id, number); err != nil {
		return err
	}
	a.say("Delivery %s is being sent again.", delivery)
	return nil
}

// findDelivery returns the server's number of a delivery, which may be given itself, as JSON has it.
func findDelivery(ctx context.Context, c *client.Client, o webhookOwner, id int64, delivery string) (int64, error) {
	if number, err := strconv.ParseInt(delivery, 10, 64); err == nil {
		return number, nil
	}
	for d, err := range c.WebhookDeliveries(ctx, o.namespace, o.image, id) {
		if err != nil {
			return 0, err
		}
		if d.Delivery == delivery {
			return d.ID, nil
		}
	}
	return 0, usage.Errorf("webhook %d has no delivery %q within the last week; `fandogh webhook deliveries %[1]d` shows them", id, delivery)
}
