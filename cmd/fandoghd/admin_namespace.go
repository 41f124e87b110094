package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func (a *admin) newNamespaceList() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List all namespaces", Args: usage.ExactArgs(), RunE: a.verb(func(cmd *cobra.Command, _ []string) error {
		namespaces, err := catalog.EveryNamespace(cmd.Context(), a.store)
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

// roleNames are the roles as the interfaces name them.
var roleNames = map[catalog.Role]string{catalog.RoleRead: "read", catalog.RoleWrite: "write", catalog.RoleAdmin: "admin"}

func (a *admin) newNamespaceCreate() *cobra.Command {
	return &cobra.Command{Use: "create NAME USER", Short: "Create a shared namespace, with a user as its admin", Args: usage.ExactArgs("NAME", "USER"),
		RunE: a.verb(func(cmd *cobra.Command, args []string) error {
			user, err := a.store.User(cmd.Context(), args[1])
			if err != nil {
				return err
			}
			namespace, err := a.store.CreateNamespace(cmd.Context(), args[0], user.ID)
			if err != nil {
				return err
			}
			return a.did(cmd, "namespace created", "namespace", namespace.Name, "member", user.Name)
		})}
}

func (a *admin) newNamespaceMembers() *cobra.Command {
	return &cobra.Command{Use: "members NAME", Short: "List the members of a namespace", Args: usage.ExactArgs("NAME"), RunE: a.verb(func(cmd *cobra.Command, args []string) error {
		members, err := catalog.AllMembers(cmd.Context(), a.store, args[0])
		if err != nil {
			return err
		}
		rows := [][]string{{"USER", "ROLE"}}
		for _, m := range members {
			rows = append(rows, []string{m.User.Name, roleNames[m.Role]})
		}
		return table(cmd, rows...)
	})}
}

func (a *admin) newNamespaceGrant() *cobra.Command {
	return &cobra.Command{Use: "grant NAME USER ROLE", Short: "Give a user a role in a namespace: read, write or admin", Args: usage.ExactArgs("NAME", "USER", "ROLE"),
		RunE: a.verb(func(cmd *cobra.Command, args []string) error {
			for role, name := range roleNames {
				if name == args[2] {
					return a.setMember(cmd, args[0], args[1], role)
				}
			}
			return usage.Errorf("%q is not a valid role; the roles are: read, write, admin", args[2])
		})}
}

func (a *admin) newNamespaceRevoke() *cobra.Command {
	return &cobra.Command{Use: "revoke NAME USER", Short: "Take a user's role in a namespace away", Args: usage.ExactArgs("NAME", "USER"),
		RunE: a.verb(func(cmd *cobra.Command, args []string) error {
			return a.setMember(cmd, args[0], args[1], catalog.RoleNone)
		})}
}

func (a *admin) setMember(cmd *cobra.Command, namespace, name string, role catalog.Role) error {
	user, err := a.store.User(cmd.Context(), name)
	if err != nil {
		return err
	}
	if err := a.store.SetMember(cmd.Context(), namespace, user.ID, role); err != nil {
		return err
	}
	return a.did(cmd, "member changed", "namespace", namespace, "member", user.Name, "role", roleNames[role])
}
