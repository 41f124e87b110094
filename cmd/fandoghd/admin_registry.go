package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/hooks/secrets"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

// secrets returns what keeps the installation's secrets.
func (a *admin) secrets(ctx context.Context) (*secrets.Service, error) {
	keyring, err := secrets.OpenBeside(ctx, a.store, filepath.Join(a.data, secretsKey))
	if err != nil {
		return nil, err
	}
	return secrets.New(ctx, secrets.Config{Store: a.store, Keyring: keyring})
}

func (a *admin) newRegistryAdd() *cobra.Command {
	var username string
	var passwordStdin bool
	cmd := &cobra.Command{Use: "add HOST", Short: "Add an account at another registry for the builds of all namespaces, or change it", Args: usage.ExactArgs("HOST")}
	cmd.Long = "Add an account at another registry, or change the one that is there. The builds of every namespace without an account of its own there use it:\n" +
		"whatever it may pull, all users can."
	cmd.RunE = a.verb(func(cmd *cobra.Command, args []string) error {
		password, err := readPassword(cmd, passwordStdin)
		if err != nil {
			return err
		}
		s, err := a.secrets(cmd.Context())
		if err != nil {
			return err
		}
		added, err := s.Set(cmd.Context(), catalog.Secret{Kind: catalog.SecretRegistry, Name: args[0], Username: username}, []byte(password))
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "Builds use the account %s at %s.\n", added.Username, added.Name)
		return a.did(cmd, "registry added", "host", added.Name, "username", added.Username)
	})
	cmd.Flags().StringVar(&username, "username", "", "`name` of the account")
	cmd.Flags().BoolVar(&passwordStdin, "password-stdin", false, "read the password or token from standard input")
	return cmd
}

func (a *admin) newRegistryList() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the accounts at other registries that builds of all namespaces use", Args: usage.ExactArgs(),
		RunE: a.verb(func(cmd *cobra.Command, _ []string) error {
			accounts, err := a.registries(cmd.Context())
			if err != nil {
				return err
			}
			rows := [][]string{{"HOST", "USERNAME", "SET"}}
			for _, s := range accounts {
				rows = append(rows, []string{s.Name, s.Username, s.SetAt.Format(time.RFC3339)})
			}
			return table(cmd, rows...)
		})}
}

func (a *admin) newRegistryRemove() *cobra.Command {
	return &cobra.Command{Use: "remove HOST", Short: "Remove an account that builds of all namespaces use", Args: usage.ExactArgs("HOST"),
		RunE: a.verb(func(cmd *cobra.Command, args []string) error {
			host, err := catalog.RegistryHost(args[0])
			if err != nil {
				return err
			}
			accounts, err := a.registries(cmd.Context())
			if err != nil {
				return err
			}
			i := slices.IndexFunc(accounts, func(s catalog.Secret) bool { return s.Name == host })
			if i < 0 {
				return catalog.Errorf(catalog.NotFound, "there is no account at %s", host)
			}
			if err := a.store.DeleteSecret(cmd.Context(), accounts[i].ID); err != nil {
				return err
			}
			return a.did(cmd, "registry removed", "host", host)
		})}
}

// registries returns the installation's accounts.
func (a *admin) registries(ctx context.Context) ([]catalog.Secret, error) {
	s, err := a.secrets(ctx)
	if err != nil {
		return nil, err
	}
	return s.List(ctx, "", catalog.SecretRegistry)
}
