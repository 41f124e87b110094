package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/account"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/config"
)

// admin is what every verb works on: the data directory's catalog.
type admin struct {
	data     string
	store    *sqlite.Store
	accounts *account.Service
}

func newAdminCommand() *cobra.Command {
	a := &admin{}
	cmd := &cobra.Command{
		Use:   "admin",
		Short: "Manage accounts and images of a data directory, whether the daemon runs or not",
		Example: "  printf 'a-long-password' | fandoghd admin --data data user add ali --password-stdin\n" +
			"  fandoghd admin --data data key add ali ~/.ssh/id_ed25519.pub\n" +
			"  TOKEN=$(fandoghd admin --data data token create ali)",
	}
	cmd.PersistentFlags().StringVar(&a.data, "data", config.Default().Data, "`directory` the daemon keeps everything in")
	user := &cobra.Command{Use: "user", Short: "Add and list users, set passwords"}
	user.AddCommand(a.newUserAdd(), a.newUserList(), a.newUserPasswd())
	key := &cobra.Command{Use: "key", Short: "Add SSH public keys"}
	key.AddCommand(a.newKeyAdd())
	token := &cobra.Command{Use: "token", Short: "Create API tokens"}
	token.AddCommand(a.newTokenCreate())
	cmd.AddCommand(user, key, token, a.newGC())
	return cmd
}

// verb wraps a verb's work in opening and closing the catalog.
func (a *admin) verb(work func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		path := databasePath(a.data)
		if _, err := os.Stat(path); err != nil {
			return usageError{fmt.Errorf("%s is no data directory of fandoghd: %w; name it with --data, or start `fandoghd serve` once", a.data, err)}
		}
		if a.store, err = sqlite.Open(cmd.Context(), path); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, a.store.Close()) }()
		a.accounts = account.New(account.Config{Users: a.store})
		if err := work(cmd, args); err != nil {
			return safe(err)
		}
		return nil
	}
}

// safe shows an administrator at the shell the cause, too.
func safe(err error) error {
	if catalog.CodeOf(err) == catalog.Internal {
		return err
	}
	return errors.New(catalog.MessageOf(err))
}

func (a *admin) newUserAdd() *cobra.Command {
	var isAdmin, fromStdin bool
	cmd := &cobra.Command{Use: "add NAME", Short: "Add a user and the namespace of the same name", Args: exactArgs("NAME")}
	cmd.RunE = a.verb(func(cmd *cobra.Command, args []string) error {
		password, err := readPassword(cmd, fromStdin)
		if err != nil {
			return err
		}
		user, err := a.accounts.CreateUser(cmd.Context(), args[0], password, isAdmin)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "added user %s; add a key with `fandoghd admin key add %s FILE.pub`\n", user.Name, user.Name)
		return nil
	})
	cmd.Flags().BoolVar(&isAdmin, "admin", false, "an administrator of the installation")
	passwordFlag(cmd, &fromStdin)
	return cmd
}

func (a *admin) newUserList() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List users", Args: exactArgs(), RunE: a.verb(func(cmd *cobra.Command, _ []string) error {
		users, err := a.store.ListUsers(cmd.Context())
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		for _, u := range users {
			role := "user"
			if u.Admin {
				role = "admin"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", u.Name, role, u.CreatedAt.Format(time.RFC3339))
		}
		return w.Flush()
	})}
}

func (a *admin) newUserPasswd() *cobra.Command {
	var fromStdin bool
	cmd := &cobra.Command{Use: "passwd NAME", Short: "Set a user's password", Args: exactArgs("NAME")}
	cmd.RunE = a.verb(func(cmd *cobra.Command, args []string) error {
		user, err := a.store.User(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		password, err := readPassword(cmd, fromStdin)
		if err != nil {
			return err
		}
		return a.accounts.SetPassword(cmd.Context(), user.ID, password)
	})
	passwordFlag(cmd, &fromStdin)
	return cmd
}

func (a *admin) newKeyAdd() *cobra.Command {
	return &cobra.Command{Use: "add NAME FILE", Short: "Let the holder of a public key push as a user", Args: exactArgs("NAME", "FILE"),
		RunE: a.verb(func(cmd *cobra.Command, args []string) error {
			user, err := a.store.User(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			line, err := os.ReadFile(args[1])
			if err != nil {
				return err
			}
			key, err := a.accounts.AddKey(cmd.Context(), user.ID, "", string(line))
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "added key %s for %s\n", key.Fingerprint, user.Name)
			return nil
		})}
}

func (a *admin) newTokenCreate() *cobra.Command {
	return &cobra.Command{Use: "create NAME", Short: "Create a token and print it, once", Args: exactArgs("NAME"),
		RunE: a.verb(func(cmd *cobra.Command, args []string) error {
			user, err := a.store.User(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			secret, _, err := a.accounts.CreateToken(cmd.Context(), user.ID, "made by fandoghd admin", catalog.ScopeWrite, time.Time{})
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), secret)
			return nil
		})}
}

func passwordFlag(cmd *cobra.Command, fromStdin *bool) {
	cmd.Flags().BoolVar(fromStdin, "password-stdin", false, "read the password from standard input")
}

// readPassword takes the password from standard input, without its line end, or
// asks on the terminal.
func readPassword(cmd *cobra.Command, fromStdin bool) (string, error) {
	if fromStdin {
		text, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), 4096))
		return strings.TrimRight(string(text), "\r\n"), err
	}
	stdin := int(os.Stdin.Fd())
	if !term.IsTerminal(stdin) {
		return "", usageError{errors.New("standard input is no terminal; give the password with --password-stdin")}
	}
	fmt.Fprint(cmd.ErrOrStderr(), "Password: ")
	text, err := term.ReadPassword(stdin)
	fmt.Fprintln(cmd.ErrOrStderr())
	return string(text), err
}

// firstAdmin makes the administrator of an installation without users and
// leaves the password in a file that only the operator can read.
func firstAdmin(ctx context.Context, users catalog.Users, accounts *account.Service, file string) (created bool, err error) {
	existing, err := users.ListUsers(ctx)
	if err != nil || len(existing) > 0 {
		return false, err
	}
	password := rand.Text()
	// The file first: an administrator nobody has the password of helps nobody.
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		return false, err
	}
	_, err = accounts.CreateUser(ctx, "admin", password, true)
	return true, err
}
