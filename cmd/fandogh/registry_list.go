package main

import (
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newRegistryListCommand(a *app) *cobra.Command {
	var out output
	var scope registryScope
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List accounts at other registries",
		Long:    `List the namespace's accounts at other registries and when their passwords were set. The passwords are never shown.`,
		Example: `  fandogh registry list`,
		Args:    usage.ExactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runRegistryList(cmd, a, scope, out) },
	}
	out.addFlag(cmd)
	scope.add(cmd)
	return cmd
}

func runRegistryList(cmd *cobra.Command, a *app, scope registryScope, out output) error {
	if err := out.check(); err != nil {
		return err
	}
	c, namespace, err := scope.client(cmd.Context(), a)
	if err != nil {
		return err
	}
	registries, err := c.Registries(cmd.Context(), namespace)
	if err != nil {
		return err
	}
	return out.show(a, registries, func(w *table) {
		w.heads("HOST", "USERNAME", "SET")
		for _, r := range registries {
			row(w, r.Host, r.Username, w.time(r.SetAt))
		}
	})
}
