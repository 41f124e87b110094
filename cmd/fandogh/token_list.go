package main

import (
	"cmp"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newTokenListCommand(a *app) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List your tokens",
		Long:  `List your tokens, including those created by logins. Their secrets can't be shown again.`,
		Example: `  fandogh token list
  fandogh token list --output json`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runTokenList(cmd, a, out) },
	}
	out.addFlag(cmd)
	return cmd
}

func runTokenList(cmd *cobra.Command, a *app, out output) error {
	if err := out.check(); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	tokens, err := c.Tokens(cmd.Context())
	if err != nil {
		return err
	}
	return out.show(a.out, tokens, func(w io.Writer) {
		row(w, "ID", "NAME", "SCOPE", "CREATED", "EXPIRES")
		for _, t := range tokens {
			row(w, strconv.FormatInt(t.ID, 10), t.Name, t.Scope, shortTime(t.CreatedAt), cmp.Or(shortTime(t.ExpiresAt), "never"))
		}
	})
}
