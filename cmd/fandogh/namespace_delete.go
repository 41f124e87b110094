package main

import (
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newNamespaceDeleteCommand(a *app) *cobra.Command {
	var o namespaceDeleteOptions
	cmd := &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a shared namespace",
		Long: `Delete a shared namespace; this is for administrators. It must have no images unless
--images is given. This can't be undone: you are asked to confirm, and without a
terminal --yes is required.`,
		Example: `  fandogh namespace delete team --yes`,
		Args:    usage.ExactArgs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			return o.run(cmd, a, a.Text("namespace %s", args[0]), func() error { return c.DeleteNamespace(cmd.Context(), args[0], o.images) })
		},
	}
	o.add(cmd)
	return cmd
}
