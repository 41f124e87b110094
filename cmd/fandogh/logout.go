package main

import (
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newLogoutCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "logout",
		Short: "Log out of a server",
		Long: `Log out of a server: the token is revoked on the server, so that copies of it stop
working, and deleted here. If the server can't be reached, the token is still
deleted here.`,
		Example: `  fandogh logout
  fandogh logout --server https://fandogh.example.com`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runLogout(cmd, a) },
	}
}

func runLogout(cmd *cobra.Command, a *app) error {
	t, err := a.target()
	if err != nil {
		return err
	}
	saved, err := readCredentials()
	if err != nil {
		return err
	}
	var known bool
	if t.login, known = saved.Logins[t.server]; !known {
		a.say("Not logged in to %s.", t.shown())
		return nil
	}
	c, err := newClient(t)
	if err != nil {
		return err
	}
	if err := c.DeleteToken(cmd.Context(), t.login.TokenID); err != nil {
		a.say("Failed to revoke the token (%v); it was only deleted here.", err)
	}
	if err := changeCredentials(func(saved *credentials) { delete(saved.Logins, t.server) }); err != nil {
		return err
	}
	a.say("Logged out of %s.", t.shown())
	return nil
}
