package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

func newNamespaceUseCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "use NAME",
		Short: "Choose the namespace that later commands work in",
		Long: `Choose the namespace that later commands work in at this server, where --namespace
and $FANDOGH_NAMESPACE say nothing else. Logging in again chooses your own.`,
		Example: `  fandogh namespace use team`,
		Args:    exactArgs("NAME"),
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
		return usagef("you do not belong to a namespace %q; `fandogh namespace list` shows yours", name)
	}
	t, err := a.target()
	if err != nil {
		return err
	}
	if a.getenv("FANDOGH_TOKEN") != "" {
		return usagef("the login comes from $FANDOGH_TOKEN; set $FANDOGH_NAMESPACE beside it")
	}
	err = changeCredentials(func(saved *credentials) {
		chosen := saved.Logins[t.server]
		chosen.Namespace = name
		saved.Logins[t.server] = chosen
	})
	if err != nil {
		return err
	}
	a.say("Commands at %s work in namespace %s now.", t.shown(), name)
	return nil
}
