package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newNamespaceListCommand(a *app) *cobra.Command {
	var out output
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List your namespaces",
		Long: `List the namespaces that you belong to, with your role in each. With --all, which is
for administrators, list all namespaces of the server, with their admins.`,
		Example: `  fandogh namespace list
  fandogh namespace list --output json`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if all {
				return runNamespaceListAll(cmd, a, out)
			}
			return runNamespaceList(cmd, a, out)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "list all namespaces of the server")
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
	return out.show(a, namespaces, func(w *table) {
		w.heads("NAME", "YOUR ROLE")
		for _, n := range namespaces {
			row(w, n.Name, n.Role)
		}
	})
}

func runNamespaceListAll(cmd *cobra.Command, a *app, out output) error {
	if err := out.check(); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	namespaces, err := c.AllNamespaces(cmd.Context())
	if err != nil {
		return err
	}
	return out.show(a, namespaces, func(w *table) {
		w.heads("NAME", "KIND", "IMAGES", "ADMINS")
		for _, n := range namespaces {
			kind := w.Text("shared")
			if n.Personal {
				kind = w.Text("user's")
			}
			row(w, n.Name, kind, w.count(n.Images), strings.Join(n.Admins, " "))
		}
	})
}
