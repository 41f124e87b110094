package main

import (
	"cmp"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newUserCommand(a *app) *cobra.Command {
	return group("user", "Manage the users of the server",
		`Manage the users of the server. These commands are for administrators. Keys and tokens
of a user are managed by "fandogh key" and "fandogh token" with --user.`,
		`  fandogh user add ali --password-stdin < password.txt
  fandogh user disable ali`,
		newUserAddCommand(a), newUserListCommand(a), newUserShowCommand(a), newUserPasswdCommand(a),
		newUserUpdateCommand(a, "disable", "Block a user's logins",
			`Block a user's logins at once, close open sessions and cancel queued builds. Everything
the user created stays.`, "%s is disabled", api.UpdateUser{Disabled: new(true)}),
		newUserUpdateCommand(a, "enable", "Enable a disabled user",
			`Enable a disabled user, with the same password, keys and tokens.`, "%s is enabled", api.UpdateUser{Disabled: new(false)}),
		newUserUpdateCommand(a, "promote", "Make a user an administrator",
			`Make a user an administrator, who may do everything on the server.`, "%s is an administrator", api.UpdateUser{Admin: new(true)}),
		newUserUpdateCommand(a, "demote", "Make an administrator an ordinary user",
			`Make an administrator an ordinary user. You can't demote yourself.`, "%s is no administrator", api.UpdateUser{Admin: new(false)}),
		newUserDeleteCommand(a))
}

func newUserAddCommand(a *app) *cobra.Command {
	var in api.CreateUser
	var o loginOptions
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user",
		Long: `Add a user and the namespace of the same name. You are asked for the password, which
the user can change.`,
		Example: `  fandogh user add ali
  fandogh user add ali --admin --password-stdin < password.txt`,
		Args: usage.ExactArgs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			in.Username = args[0]
			if in.Password, err = a.password(cmd, o); err != nil {
				return err
			}
			user, err := c.CreateUser(cmd.Context(), in)
			if err == nil {
				a.print("Added user %s", user.Username)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&in.Admin, "admin", false, "make the user an administrator")
	cmd.Flags().BoolVar(&o.passwordStdin, "password-stdin", false, "read the password from standard input")
	return cmd
}

func newUserListCommand(a *app) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all users",
		Long:  `List all users of the server.`,
		Example: `  fandogh user list
  fandogh user list --output json`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runUserList(cmd, a, out) },
	}
	out.addFlag(cmd)
	return cmd
}

func runUserList(cmd *cobra.Command, a *app, out output) error {
	if err := out.check(); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	users, err := c.Users(cmd.Context())
	if err != nil {
		return err
	}
	return out.show(a, users, func(w *table) {
		w.heads("NAME", "ROLE", "STATE", "ADDED")
		for _, u := range users {
			userRow(w, u)
		}
	})
}

func userRow(w *table, u api.User) {
	role, state := w.Text("user"), w.Text("active")
	if u.Admin {
		role = w.Text("admin")
	}
	if !u.DisabledAt.IsZero() {
		state = w.Text("disabled")
	}
	row(w, u.Username, role, state, w.time(u.CreatedAt))
}

func newUserShowCommand(a *app) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show a user",
		Long:  `Show a user, and the namespaces that they belong to with their role in each.`,
		Example: `  fandogh user show ali
  fandogh user show ali --output json`,
		Args: usage.ExactArgs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			user, err := c.User(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return out.show(a, user, func(w *table) {
				w.heads("NAME", "ROLE", "STATE", "ADDED")
				userRow(w, user.User)
				w.heads("NAMESPACE", "ROLE", "", "")
				for _, n := range user.Namespaces {
					row(w, n.Name, cmp.Or(n.Role, "-"), "", "")
				}
			})
		},
	}
	out.addFlag(cmd)
	return cmd
}

func newUserPasswdCommand(a *app) *cobra.Command {
	var o loginOptions
	cmd := &cobra.Command{
		Use:     "passwd NAME",
		Short:   "Set a user's password",
		Long:    `Set a user's password. Tokens and keys stay.`,
		Example: `  fandogh user passwd ali --password-stdin < password.txt`,
		Args:    usage.ExactArgs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			password, err := a.password(cmd, o)
			if err != nil {
				return err
			}
			if _, err := c.UpdateUser(cmd.Context(), args[0], api.UpdateUser{Password: &password}); err != nil {
				return err
			}
			a.print("Changed the password of %s", args[0])
			return nil
		},
	}
	cmd.Flags().BoolVar(&o.passwordStdin, "password-stdin", false, "read the password from standard input")
	return cmd
}

func newUserUpdateCommand(a *app, verb, short, long, did string, to api.UpdateUser) *cobra.Command {
	return &cobra.Command{
		Use: verb + " NAME", Short: short, Long: long, Example: "  fandogh user " + verb + " ali", Args: usage.ExactArgs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			user, err := c.UpdateUser(cmd.Context(), args[0], to)
			if err == nil {
				row(a.out, a.Text(did, user.Username))
			}
			return err
		},
	}
}

func newUserDeleteCommand(a *app) *cobra.Command {
	var o namespaceDeleteOptions
	cmd := &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a user and the namespace of the same name",
		Long: `Delete a user and the namespace of the same name, which must have no images unless
--images is given. Images in other namespaces stay. This can't be undone: you are asked
to confirm, and without a terminal --yes is required.`,
		Example: `  fandogh user delete ali --images --yes`,
		Args:    usage.ExactArgs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			return o.run(cmd, a, a.Text("user %s and the namespace of the same name", args[0]), func() error { return c.DeleteUser(cmd.Context(), args[0], o.images) })
		},
	}
	o.add(cmd)
	return cmd
}

// namespaceDeleteOptions are how a namespace is deleted, by itself or with its user.
type namespaceDeleteOptions struct{ images, yes bool }

func (o *namespaceDeleteOptions) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.images, "images", false, "also delete the images in the namespace with all their versions")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask for confirmation")
}

func (o *namespaceDeleteOptions) run(cmd *cobra.Command, a *app, what string, remove func() error) error {
	if o.images {
		what = a.Text("%s, with all images in it", what)
	}
	if !o.yes {
		if sure, err := a.confirm(cmd.Context(), a.Text("Delete %s?", what)); err != nil || !sure {
			return err
		}
	}
	if err := remove(); err != nil {
		return err
	}
	a.print("Deleted %s", what)
	return nil
}

// userFlag adds the flag of commands that administrators use for others.
func userFlag(cmd *cobra.Command, user *string) {
	cmd.Flags().StringVar(user, "user", "", "of this `user`, as an administrator (default yourself)")
}
