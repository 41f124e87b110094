package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/account"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/config"
	"github.com/fandoghpaas/fandogh/internal/atomicfile"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

// admin is what every verb works on: the data directory's catalog.
type admin struct {
	data     string
	store    *sqlite.Store
	accounts *account.Service
}

func newAdminCommand() *cobra.Command {
	a := &admin{}
	cmd := group("admin", "Manage accounts and images of a data directory, whether the daemon runs or not")
	cmd.Long = "Manage accounts and images of a data directory, whether the daemon runs or not. Changes take effect at once, and the daemon writes them\n" +
		"to its audit log.\n\n" +
		"When a user leaves, `user disable` blocks all logins, closes open sessions and cancels the user's queued builds; a running build\n" +
		"finishes. Everything the user created stays until `user delete`, which also deletes the namespace of the same name and fails while it has images,\n" +
		"unless --images is given. Images in other namespaces stay there."
	cmd.Example = "  printf 'a-long-password' | fandoghd admin --data data user add ali --password-stdin\n" +
		"  fandoghd admin --data data key add ali ~/.ssh/id_ed25519.pub\n" +
		"  TOKEN=$(fandoghd admin --data data token create ali)\n" +
		"  fandoghd admin --data data user disable ali"
	cmd.PersistentFlags().StringVar(&a.data, "data", config.Default().Data, "data `directory` of the daemon")
	cmd.AddCommand(
		group("user", "Manage users",
			a.newUserAdd(), a.newUserList(), a.newUserShow(), a.newUserPasswd(), a.newUserDisable(), a.newUserEnable(), a.newUserPromote(), a.newUserDemote(), a.newUserDelete()),
		group("key", "Manage users' public keys", a.newKeyAdd(), a.newKeyList(), a.newKeyDelete()),
		group("token", "Manage users' API tokens", a.newTokenCreate(), a.newTokenList(), a.newTokenRevoke()),
		group("namespace", "Manage namespaces", a.newNamespaceCreate(), a.newNamespaceList(), a.newNamespaceMembers(), a.newNamespaceGrant(), a.newNamespaceRevoke(), a.newNamespaceLimits(), a.newNamespaceDelete()),
		group("image", "Manage images and their versions", a.newImageList(), a.newImageVersions(), a.newImageTransfer(), a.newImageDelete()),
		group("build", "Manage the builds of versions", a.newBuildList(), a.newBuildShow(), a.newBuildLog(), a.newBuildCancel(), a.newBuildRebuild()),
		group("queue", "Manage the build queue", a.newQueueList(), a.newQueuePause(), a.newQueueResume(), a.newQueueDrain()),
		group("hostkey", "Manage the SSH host keys", a.newHostKeyList(), a.newHostKeyRotate()),
		group("registry", "Manage accounts at other registries that builds of all namespaces use", a.newRegistryAdd(), a.newRegistryList(), a.newRegistryRemove()),
		group("tombstone", "Manage the names of deleted versions, which no other image can have", a.newTombstoneList(), a.newTombstoneLift()),
		a.newAudit(), a.newSigningKey(), a.newUsage(), a.newGC(), a.newBackup(), a.newRestore(), a.newCheck(), a.newSupportBundle())
	return cmd
}

// noData tells why a directory can't be administered, and what to do.
func noData(dir string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return dataFault(err)
	}
	return fmt.Errorf("%s is not a data directory of fandoghd: %w; set it with --data, or start `fandoghd serve` once", dir, err)
}

// verb wraps a verb's work in opening and closing the catalog.
func (a *admin) verb(work func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		path := databasePath(a.data)
		if _, err := os.Stat(path); err != nil {
			return usage.Error{Err: noData(a.data, err)}
		}
		if err := lostDatabase(a.data); err != nil {
			return err
		}
		if a.store, err = a.open(cmd.Context(), path); err != nil {
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

// open brings the schema up to date only where no daemon runs: it would be an older one.
func (a *admin) open(ctx context.Context, path string) (*sqlite.Store, error) {
	store, err := sqlite.OpenAsItIs(ctx, path)
	if !errors.Is(err, sqlite.ErrOlder) {
		return store, err
	}
	lock, err := lockDirectory(a.data)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("an older fandoghd is running on %s, and its database must be migrated; restart the daemon first", a.data)
	}
	if err != nil {
		return nil, err
	}
	defer lock.Close() //nolint:errcheck // it was not written
	return sqlite.Open(ctx, path)
}

// safe shows an administrator at the shell the cause, too.
func safe(err error) error {
	if catalog.CodeOf(err) == catalog.Internal {
		return err
	}
	return errors.New(catalog.MessageOf(err))
}

// onUser wraps the work of a verb whose first argument is a user's name.
func (a *admin) onUser(work func(cmd *cobra.Command, user catalog.User, args []string) error) func(*cobra.Command, []string) error {
	return a.verb(func(cmd *cobra.Command, args []string) error {
		user, err := a.store.User(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return work(cmd, user, args[1:])
	})
}

// table prints rows in columns.
func table(cmd *cobra.Command, rows ...[]string) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// firstAdmin makes the administrator of an installation without users and
// leaves the password in a file that only the operator can read.
func firstAdmin(ctx context.Context, users catalog.Users, accounts *account.Service, file string) (created bool, err error) {
	existing, err := users.ListUsers(ctx, catalog.NamePage{Limit: 1})
	if err != nil || len(existing) > 0 {
		return false, err
	}
	password := rand.Text()
	// The file first: an administrator whose password is lost is of no use.
	if err := atomicfile.Replace(file, []byte(password+"\n"), 0o600); err != nil {
		return false, err
	}
	_, err = accounts.CreateUser(ctx, "admin", password, true)
	return true, err
}
