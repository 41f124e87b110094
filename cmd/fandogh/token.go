package main

import (
	"github.com/spf13/cobra"
)

func newTokenCommand(a *app) *cobra.Command {
	return group("token", "Manage tokens for programs that act for you",
		`Manage tokens for programs that act for you: scripts, build servers, docker login.
A token takes the place of your password wherever one is asked for.`,
		`  fandogh token create --name ci --scope write --expires 90d
  fandogh token list`,
		newTokenCreateCommand(a), newTokenListCommand(a), newTokenDeleteCommand(a))
}
