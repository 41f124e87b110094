package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newNamespaceUseCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "use NAME",
		Short: "Set the namespace for later commands",
		Long: `Set the namespace for later commands at this server. --namespace and
$FANDOGH_NAMESPACE override it. Logging in again resets it to your own.`,
		Example: `  fandogh namespace use team`,
		Args:    usage.ExactArgs("NAME"),
		RunE:    func(cmd *cobra.Command, args []string) error { return runNamespaceUse(cmd, a, args[0]) },
	}
}

func runNamespaceUse(cmd *cobra.Command, a *app, name string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	mine, err := c.Namespaces(cmd.Context())
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(mine, func(n api.Namespace) bool { return n.Name == name }) {
		return usage.Errorf("you are not a member of a namespace %q; `fandogh namespace list` shows your namespaces", name)
	}
	t, err := a.target()
	if err != nil {
		return err
	}
	if a.getenv("FANDOGH_TOKEN") != "" {
		return usage.Errorf("you are logged in with $FANDOGH_TOKEN; set $FANDOGH_NAMESPACE instead")
	}
	err = changeCredentials(func(saved *credentials) {
		chosen := saved.Logins[t.server]
		chosen.Namespace = name
		saved.Logins[t.server] = chosen
	})
	if err != nil {
		return err
	}
	a.say("Commands at %s now use namespace %s.", t.shown(), name)
	return nil
}
