package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newNamespaceListCommand(a *app) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List your namespaces",
		Long:  `List the namespaces that you belong to, with your role in each.`,
		Example: `  fandogh namespace list
  fandogh namespace list --output json`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runNamespaceList(cmd, a, out) },
	}
	out.addFlag(cmd)
	return cmd
}

func runNamespaceList(cmd *cobra.Command, a *app, out output) error {
	if err := out.check(); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	namespaces, err := c.Namespaces(cmd.Context())
	if err != nil {
		return err
	}
	return out.show(a.out, namespaces, func(w io.Writer) {
		row(w, "NAME", "YOUR ROLE")
		for _, n := range namespaces {
			row(w, n.Name, n.Role)
		}
	})
}
