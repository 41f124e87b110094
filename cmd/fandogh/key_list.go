package main

import (
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newKeyListCommand(a *app) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List your SSH keys",
		Long:  `List your SSH keys with the fingerprints that ssh-keygen -l prints.`,
		Example: `  fandogh key list
  fandogh key list --output json`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runKeyList(cmd, a, out) },
	}
	out.addFlag(cmd)
	return cmd
}

func runKeyList(cmd *cobra.Command, a *app, out output) error {
	if err := out.check(); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	keys, err := c.Keys(cmd.Context())
	if err != nil {
		return err
	}
	return out.show(a.out, keys, func(w io.Writer) {
		row(w, "ID", "NAME", "FINGERPRINT", "ADDED")
		for _, k := range keys {
			row(w, strconv.FormatInt(k.ID, 10), k.Name, k.Fingerprint, shortTime(k.CreatedAt))
		}
	})
}
