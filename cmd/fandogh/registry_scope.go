package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/client"
)

// registryScope is whose accounts at other registries a verb is about.
type registryScope struct{ installation bool }

func (s *registryScope) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.installation, "installation", false, "accounts that builds of all namespaces use; for administrators")
}

// client returns a client, and the namespace that accounts are of, "" for the installation.
func (s registryScope) client(ctx context.Context, a *app) (c *client.Client, namespace string, err error) {
	if s.installation {
		c, err = a.client()
		return c, "", err
	}
	return a.clientOfNamespace(ctx)
}

// whose says whose builds use an account.
func (s registryScope) whose(a *app, namespace string) string {
	if s.installation {
		return a.Text("all namespaces without an account of their own there")
	}
	return namespace
}
