package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newRegistryRemoveCommand(a *app) *cobra.Command {
	var scope registryScope
	cmd := &cobra.Command{
		Use:     "remove HOST",
		Short:   "Remove an account at a registry",
		Long:    `Remove the namespace's account at a registry, whose host is written as registry list shows it.`,
		Example: `  fandogh registry remove ghcr.io`,
		Args:    usage.ExactArgs("HOST"),
		RunE:    func(cmd *cobra.Command, args []string) error { return runRegistryRemove(cmd, a, scope, args[0]) },
	}
	scope.add(cmd)
	return cmd
}

func runRegistryRemove(cmd *cobra.Command, a *app, scope registryScope, host string) error {
	c, namespace, err := scope.client(cmd.Context(), a)
	if err != nil {
		return err
	}
	account, found, err := find(cmd.Context(), c.Registries, namespace, func(r api.Registry) bool { return strings.EqualFold(r.Host, host) })
	if err != nil {
		return err
	}
	if !found {
		return usage.Errorf("there is no account at %s; `fandogh registry list` lists the accounts", host)
	}
	if err := c.DeleteRegistry(cmd.Context(), namespace, account.ID); err != nil {
		return err
	}
	a.print("Removed the account %s at %s.", account.Username, account.Host)
	return nil
}
