package main

import (
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newNamespaceCreateCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "create NAME",
		Short:   "Create a namespace",
		Long:    `Create a namespace. It is empty, and you are its only member and its admin.`,
		Example: `  fandogh namespace create team`,
		Args:    usage.ExactArgs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			made, err := c.CreateNamespace(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			a.print("Namespace %s created; you are its %s", made.Name, made.Role)
			return nil
		},
	}
}
