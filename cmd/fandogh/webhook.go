package main

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/client"
)

func newWebhookCommand(a *app) *cobra.Command {
	return group("webhook", "Manage webhooks for builds and versions",
		`Manage webhooks, which notify other programs of builds and versions. The server sends
a signed POST request to each URL and retries for some hours. Without --image a
webhook applies to the whole namespace.`,
		`  fandogh webhook add https://ci.example.com/fandogh --image shop
  fandogh webhook list --image shop`,
		newWebhookAddCommand(a), newWebhookListCommand(a), newWebhookDeleteCommand(a), newWebhookDeliveriesCommand(a), newWebhookRedeliverCommand(a))
}

// webhookOwner is the image or, without one, the namespace that webhooks are of.
type webhookOwner struct {
	image     string
	namespace string
}

func (o *webhookOwner) addFlag(cmd *cobra.Command, a *app) {
	cmd.Flags().StringVarP(&o.image, "image", "i", "", "`name` of the image (default all images of the namespace)")
	complete(cmd, "image", a.completeImages)
}

// client returns a client and finds the namespace's name.
func (o *webhookOwner) client(ctx context.Context, a *app) (*client.Client, error) {
	if o.image != "" {
		return a.client()
	}
	c, namespace, err := a.clientOfNamespace(ctx)
	o.namespace = namespace
	return c, err
}

// clientOfNamespace returns a client, and the name of the namespace that it works on.
func (a *app) clientOfNamespace(ctx context.Context) (*client.Client, string, error) {
	c, err := a.client()
	if err != nil {
		return nil, "", err
	}
	t, err := a.target()
	if err != nil || t.namespace != "" {
		return c, t.namespace, err
	}
	account, err := c.Account(ctx)
	return c, cmp.Or(account.Namespace, account.Username), err
}
