package main

import (
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newKeyDeleteCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "delete ID",
		Short:   "Delete an SSH key",
		Long:    `Delete an SSH key by the ID that key list shows. It can't be used to push any more.`,
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
			if err := c.DeleteKey(cmd.Context(), id); err != nil {
				return err
			}
			row(a.out, "Key Deleted Successfully")
			return nil
		},
	}
}
