package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newKeyListCommand(a *app) *cobra.Command {
	var out output
	var user string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List your public keys",
		Long:  `List your public keys with the fingerprints that ssh-keygen -l and gpg -k print.`,
		Example: `  fandogh key list
  fandogh key list --output json`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runKeyList(cmd, a, user, out) },
	}
	userFlag(cmd, &user)
	out.addFlag(cmd)
	return cmd
}

func runKeyList(cmd *cobra.Command, a *app, user string, out output) error {
	if err := out.check(); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	list := c.Keys
	if user != "" {
		list = func(ctx context.Context) ([]api.Key, error) { return c.KeysOf(ctx, user) }
	}
	keys, err := list(cmd.Context())
	if err != nil {
		return err
	}
	return out.show(a, keys, func(w *table) {
		w.heads("ID", "NAME", "FINGERPRINT", "ADDED", "KIND")
		for _, k := range keys {
			row(w, strconv.FormatInt(k.ID, 10), k.Name, k.Fingerprint, w.time(k.CreatedAt), k.Kind)
		}
	})
}
