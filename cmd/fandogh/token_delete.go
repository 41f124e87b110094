package main

import (
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newTokenDeleteCommand(a *app) *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use:     "delete ID",
		Short:   "Revoke a token",
		Long:    `Revoke a token by the ID that token list shows. It stops working at once.`,
		Example: `  fandogh token delete 3`,
		Args:    usage.ExactArgs("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID(args[0], "token")
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			if user != "" {
				err = c.DeleteTokenOf(cmd.Context(), user, id)
			} else {
				err = c.DeleteToken(cmd.Context(), id)
			}
			if err != nil {
				return err
			}
			a.print("Token Revoked Successfully")
			return nil
		},
	}
	userFlag(cmd, &user)
	return cmd
}
