package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/bounded"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func (a *admin) newUserAdd() *cobra.Command {
	var isAdmin, fromStdin bool
	cmd := &cobra.Command{Use: "add NAME", Short: "Add a user and the namespace of the same name", Args: usage.ExactArgs("NAME")}
	cmd.RunE = a.verb(func(cmd *cobra.Command, args []string) error {
		password, err := readPassword(cmd, fromStdin)
		if err != nil {
			return err
		}
		user, err := a.accounts.CreateUser(cmd.Context(), args[0], password, isAdmin)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "Added user %s. Add a key with `fandoghd admin --data %s key add %s FILE.pub`.\n", user.Name, a.data, user.Name)
		return a.did(cmd, "user added", "name", user.Name)
	})
	cmd.Flags().BoolVar(&isAdmin, "admin", false, "make the user an administrator")
	passwordFlag(cmd, &fromStdin)
	return cmd
}

func (a *admin) newUserList() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List users", Args: usage.ExactArgs(), RunE: a.verb(func(cmd *cobra.Command, _ []string) error {
		users, err := catalog.AllUsers(cmd.Context(), a.store)
		if err != nil {
			return err
		}
		rows := [][]string{userHeader}
		for _, u := range users {
			rows = append(rows, userRow(u))
		}
		return table(cmd, rows...)
	})}
}

var userHeader = []string{"NAME", "ROLE", "STATE", "ADDED"}

func userRow(u catalog.User) []string {
	role, state := "user", "active"
	if u.Admin {
		role = "admin"
	}
	if u.Disabled() {
		state = "disabled"
	}
	return []string{u.Name, role, state, u.CreatedAt.Format(time.RFC3339)}
}

func (a *admin) newUserShow() *cobra.Command {
	return &cobra.Command{Use: "show NAME", Short: "Show a user, and the namespaces that they belong to", Args: usage.ExactArgs("NAME"),
		RunE: a.onUser(func(cmd *cobra.Command, user catalog.User, _ []string) error {
			namespaces, err := catalog.AllNamespaces(cmd.Context(), a.store, user.ID)
			if err != nil {
				return err
			}
			rows := [][]string{userHeader, userRow(user), {"NAMESPACE", "ROLE"}}
			for _, n := range namespaces {
				role, err := a.store.Role(cmd.Context(), user.ID, n.Name)
				if err != nil {
					return err
				}
				rows = append(rows, []string{n.Name, roleNames[role]})
			}
			return table(cmd, rows...)
		})}
}

func (a *admin) newUserPasswd() *cobra.Command {
	var fromStdin bool
	cmd := &cobra.Command{Use: "passwd NAME", Short: "Set a user's password; tokens and keys stay", Args: usage.ExactArgs("NAME")}
	cmd.RunE = a.onUser(func(cmd *cobra.Command, user catalog.User, _ []string) error {
		password, err := readPassword(cmd, fromStdin)
		if err != nil {
			return err
		}
		if err := a.accounts.SetPassword(cmd.Context(), user.ID, password); err != nil {
			return err
		}
		return a.did(cmd, "password reset", "name", user.Name)
	})
	passwordFlag(cmd, &fromStdin)
	return cmd
}

func (a *admin) newUserDisable() *cobra.Command {
	return a.userUpdate("disable", "Block a user's logins, close open sessions and cancel queued builds; everything else stays", "user disabled", catalog.UserUpdate{Disabled: new(true)})
}

func (a *admin) newUserEnable() *cobra.Command {
	return a.userUpdate("enable", "Enable a disabled user, with the same password, keys and tokens", "user enabled", catalog.UserUpdate{Disabled: new(false)})
}

func (a *admin) newUserPromote() *cobra.Command {
	return a.userUpdate("promote", "Make a user an administrator", "user made an administrator", catalog.UserUpdate{Admin: new(true)})
}

func (a *admin) newUserDemote() *cobra.Command {
	return a.userUpdate("demote", "Make an administrator an ordinary user", "user is no longer an administrator", catalog.UserUpdate{Admin: new(false)})
}

func (a *admin) userUpdate(verb, short, did string, to catalog.UserUpdate) *cobra.Command {
	return &cobra.Command{Use: verb + " NAME", Short: short, Args: usage.ExactArgs("NAME"),
		RunE: a.onUser(func(cmd *cobra.Command, user catalog.User, _ []string) error {
			if _, err := a.store.UpdateUser(cmd.Context(), user.ID, to); err != nil {
				return err
			}
			return a.did(cmd, did, "name", user.Name)
		})}
}

func (a *admin) newUserDelete() *cobra.Command {
	var images bool
	cmd := &cobra.Command{Use: "delete NAME", Short: "Delete a user and the namespace of the same name", Args: usage.ExactArgs("NAME")}
	cmd.RunE = a.onUser(func(cmd *cobra.Command, user catalog.User, _ []string) error {
		if err := a.store.DeleteUser(cmd.Context(), user.ID, images); err != nil {
			return err
		}
		return a.did(cmd, "user deleted", "name", user.Name)
	})
	imagesFlag(cmd, &images)
	return cmd
}

func imagesFlag(cmd *cobra.Command, images *bool) {
	cmd.Flags().BoolVar(images, "images", false, "also delete the images in the namespace with all their versions")
}

func passwordFlag(cmd *cobra.Command, fromStdin *bool) {
	cmd.Flags().BoolVar(fromStdin, "password-stdin", false, "read the password from standard input")
}

// readPassword takes the password from standard input, without its line end, or
// asks on the terminal.
func readPassword(cmd *cobra.Command, fromStdin bool) (string, error) {
	if fromStdin {
		text, err := bounded.ReadAll(cmd.InOrStdin(), 4096)
		return strings.TrimRight(string(text), "\r\n"), err
	}
	stdin := int(os.Stdin.Fd())
	if !term.IsTerminal(stdin) {
		return "", usage.Errorf("standard input is not a terminal; use --password-stdin")
	}
	fmt.Fprint(cmd.ErrOrStderr(), "Password: ")
	text, err := term.ReadPassword(stdin)
	fmt.Fprintln(cmd.ErrOrStderr())
	return string(text), err
}
