package main

import (
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newKeyDeleteCommand(a *app) *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use:     "delete ID",
		Short:   "Delete a public key",
		Long:    `Delete a public key by the ID that key list shows. It can't be used to push or to sign any more.`,
		Example: `  fandogh key delete 3`,
		Args:    usage.ExactArgs("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID(args[0], "key")
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			if user != "" {
				err = c.DeleteKeyOf(cmd.Context(), user, id)
			} else {
				err = c.DeleteKey(cmd.Context(), id)
			}
			if err != nil {
				return err
			}
			a.print("Key Deleted Successfully")
			return nil
		},
	}
	userFlag(cmd, &user)
	return cmd
}
