package main

import "github.com/spf13/cobra"

func newTokenCommand(a *app) *cobra.Command {
	return group("token", "Manage access tokens",
		`Manage access tokens for scripts, build servers and docker login. A token can be
used wherever a password is asked for.`,
		`  fandogh token create --name ci --scope write --expires 90d
  fandogh token list`,
		newTokenCreateCommand(a), newTokenListCommand(a), newTokenDeleteCommand(a))
}
