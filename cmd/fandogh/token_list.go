package main

import (
	"cmp"
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newTokenListCommand(a *app) *cobra.Command {
	var out output
	var user string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List your tokens",
		Long:  `List your tokens, including those created by logins. Their secrets can't be shown again.`,
		Example: `  fandogh token list
  fandogh token list --output json`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runTokenList(cmd, a, user, out) },
	}
	userFlag(cmd, &user)
	out.addFlag(cmd)
	return cmd
}

func runTokenList(cmd *cobra.Command, a *app, user string, out output) error {
	if err := out.check(); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	list := c.Tokens
	if user != "" {
		list = func(ctx context.Context) ([]api.Token, error) { return c.TokensOf(ctx, user) }
	}
	tokens, err := list(cmd.Context())
	if err != nil {
		return err
	}
	return out.show(a, tokens, func(w *table) {
		w.heads("ID", "NAME", "SCOPE", "CREATED", "EXPIRES")
		for _, t := range tokens {
			row(w, strconv.FormatInt(t.ID, 10), t.Name, t.Scope, w.time(t.CreatedAt), cmp.Or(w.time(t.ExpiresAt), w.Text("never")))
		}
	})
}
