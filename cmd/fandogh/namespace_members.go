package main

import (
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newNamespaceMembersCommand(a *app) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "members NAME",
		Short: "List the members of a namespace",
		Long:  `List the members of a namespace with their roles.`,
		Example: `  fandogh namespace members team
  fandogh namespace members team --output json`,
		Args: usage.ExactArgs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error { return runNamespaceMembers(cmd, a, args[0], out) },
	}
	out.addFlag(cmd)
	return cmd
}

func runNamespaceMembers(cmd *cobra.Command, a *app, name string, out output) error {
	if err := out.check(); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	members, err := c.Members(cmd.Context(), name)
	if err != nil {
		return err
	}
	return out.show(a, members, func(w *table) {
		w.heads("USER", "ROLE")
		for _, m := range members {
			row(w, m.Username, m.Role)
		}
	})
}
