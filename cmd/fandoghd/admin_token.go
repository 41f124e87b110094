package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func (a *admin) newTokenCreate() *cobra.Command {
	var readOnly bool
	var expires time.Duration
	token := catalog.NewToken{Scope: catalog.ScopeWrite}
	cmd := &cobra.Command{Use: "create NAME", Short: "Create a token and print it", Args: usage.ExactArgs("NAME")}
	cmd.RunE = a.onUser(func(cmd *cobra.Command, user catalog.User, _ []string) error {
		token.UserID = user.ID
		if readOnly {
			token.Scope = catalog.ScopeRead
		}
		if cmd.Flags().Changed("expires") {
			token.ExpiresAt = time.Now().Add(expires)
		}
		secret, made, err := a.accounts.CreateToken(cmd.Context(), token)
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), secret)
		return a.did(cmd, "token created", "name", user.Name, "token", strconv.FormatInt(made.ID, 10), "scope", string(made.Scope))
	})
	f := cmd.Flags()
	f.StringVar(&token.Name, "name", "created by fandoghd admin", "name of the token in lists")
	f.BoolVar(&readOnly, "read-only", false, "give it only the read scope")
	f.DurationVar(&expires, "expires", 0, "expire after this `duration`, such as 720h (default never)")
	return cmd
}

func (a *admin) newTokenList() *cobra.Command {
	return &cobra.Command{Use: "list NAME", Short: "List a user's tokens", Args: usage.ExactArgs("NAME"),
		RunE: a.onUser(func(cmd *cobra.Command, user catalog.User, _ []string) error {
			tokens, err := a.store.ListTokens(cmd.Context(), user.ID)
			if err != nil {
				return err
			}
			rows := [][]string{{"ID", "NAME", "SCOPE", "EXPIRES", "CREATED"}}
			for _, t := range tokens {
				expires := "never"
				if !t.ExpiresAt.IsZero() {
					expires = t.ExpiresAt.Format(time.RFC3339)
				}
				rows = append(rows, []string{strconv.FormatInt(t.ID, 10), t.Name, string(t.Scope), expires, t.CreatedAt.Format(time.RFC3339)})
			}
			return table(cmd, rows...)
		})}
}

func (a *admin) newTokenRevoke() *cobra.Command {
	var all bool
	cmd := &cobra.Command{Use: "revoke NAME [ID]", Short: "Revoke one of a user's tokens by its ID, or all of them"}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 || len(args) > 2 || all == (len(args) == 2) {
			return usage.Errorf("`%s` requires a NAME, and either an ID or --all", cmd.CommandPath())
		}
		return nil
	}
	cmd.RunE = a.onUser(func(cmd *cobra.Command, user catalog.User, args []string) error {
		if all {
			if err := a.store.DeleteTokens(cmd.Context(), user.ID); err != nil {
				return err
			}
			return a.did(cmd, "tokens revoked", "name", user.Name)
		}
		id, err := number(args[0])
		if err != nil {
			return err
		}
		if err := a.store.DeleteToken(cmd.Context(), user.ID, id); err != nil {
			return err
		}
		return a.did(cmd, "token revoked", "name", user.Name, "token", args[0])
	})
	cmd.Flags().BoolVar(&all, "all", false, "revoke all of the user's tokens, including those of logins")
	return cmd
}
