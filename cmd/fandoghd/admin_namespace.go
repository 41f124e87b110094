package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func (a *admin) newNamespaceList() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List all namespaces", Args: usage.ExactArgs(), RunE: a.verb(func(cmd *cobra.Command, _ []string) error {
		namespaces, err := a.store.ListAllNamespaces(cmd.Context())
		if err != nil {
			return err
		}
		rows := [][]string{{"NAME", "KIND", "IMAGES", "ADMINS"}}
		for _, n := range namespaces {
			kind := "shared"
			if n.Personal {
				kind = "user's"
			}
			rows = append(rows, []string{n.Name, kind, strconv.Itoa(n.Images), strings.Join(n.Owners, " ")})
		}
		return table(cmd, rows...)
	})}
}

func (a *admin) newNamespaceDelete() *cobra.Command {
	var images bool
	cmd := &cobra.Command{Use: "delete NAME", Short: "Delete a shared namespace", Args: usage.ExactArgs("NAME")}
	cmd.RunE = a.verb(func(cmd *cobra.Command, args []string) error {
		if err := a.store.DeleteNamespace(cmd.Context(), args[0], images); err != nil {
			return err
		}
		return a.did(cmd, "namespace deleted", "namespace", args[0])
	})
	imagesFlag(cmd, &images)
	return cmd
}
