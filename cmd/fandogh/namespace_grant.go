package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newNamespaceGrantCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "grant NAME USER ROLE",
		Short: "Give a user a role in a namespace",
		Long: `Give a user a role in a namespace: read, write or admin. It replaces the user's
previous role.`,
		Example: `  fandogh namespace grant team ali write`,
		Args:    usage.ExactArgs("NAME", "USER", "ROLE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(roles, args[2]) {
				return usage.Errorf("%q is not a valid role; the roles are: %s", args[2], strings.Join(roles, ", "))
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			member, err := c.SetMember(cmd.Context(), args[0], args[1], args[2])
			if err != nil {
				return err
			}
			a.print("%s has the role %s in %s", member.Username, member.Role, args[0])
			return nil
		},
	}
}
