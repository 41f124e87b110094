package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func (a *admin) newKeyAdd() *cobra.Command {
	return &cobra.Command{Use: "add NAME FILE", Short: "Add a user's SSH or OpenPGP public key", Args: usage.ExactArgs("NAME", "FILE"),
		RunE: a.onUser(func(cmd *cobra.Command, user catalog.User, args []string) error {
			line, err := os.ReadFile(args[0])
			if err != nil {
				return usage.Errorf("failed to read the public key: %w; `ssh-keygen -t ed25519` creates one", err)
			}
			key, err := a.accounts.AddKey(cmd.Context(), user.ID, "", string(line))
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Added key %s for %s.\n", key.Fingerprint, user.Name)
			return a.did(cmd, "key added", "name", user.Name, "fingerprint", key.Fingerprint)
		})}
}

func (a *admin) newKeyList() *cobra.Command {
	return &cobra.Command{Use: "list NAME", Short: "List a user's keys", Args: usage.ExactArgs("NAME"),
		RunE: a.onUser(func(cmd *cobra.Command, user catalog.User, _ []string) error {
			keys, err := a.store.ListKeys(cmd.Context(), user.ID)
			if err != nil {
				return err
			}
			rows := [][]string{{"ID", "NAME", "FINGERPRINT", "ADDED", "KIND"}}
			for _, k := range keys {
				rows = append(rows, []string{strconv.FormatInt(k.ID, 10), k.Name, k.Fingerprint, k.CreatedAt.Format(time.RFC3339), string(k.Kind)})
			}
			return table(cmd, rows...)
		})}
}

func (a *admin) newKeyDelete() *cobra.Command {
	return &cobra.Command{Use: "delete NAME ID", Short: "Delete a user's key by its ID", Args: usage.ExactArgs("NAME", "ID"),
		RunE: a.onUser(func(cmd *cobra.Command, user catalog.User, args []string) error {
			id, err := number(args[0])
			if err != nil {
				return err
			}
			if err := a.store.DeleteKey(cmd.Context(), user.ID, id); err != nil {
				return err
			}
			return a.did(cmd, "key deleted", "name", user.Name, "key", args[0])
		})}
}

// number reads an ID.
func number(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, usage.Errorf("%q is not a valid ID", text)
	}
	return id, nil
}
