package main

import (
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newNamespaceRevokeCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke NAME USER",
		Short:   "Remove a user from a namespace",
		Long:    `Remove a user from a namespace. Its last admin can't be removed.`,
		Example: `  fandogh namespace revoke team ali`,
		Args:    usage.ExactArgs("NAME", "USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if err := c.DeleteMember(cmd.Context(), args[0], args[1]); err != nil {
				return err
			}
			a.print("%s is no longer a member of %s", args[1], args[0])
			return nil
		},
	}
}
