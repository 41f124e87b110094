package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newSecretRemoveCommand(a *app) *cobra.Command {
	var o secretChoice
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a secret",
		Long: `Remove a secret; the options must be those that it was set with. Builds that run have it
until they end, and what steps made with it stays in the images.`,
		Example: `  fandogh secret remove npm_token --image shop`,
		Args:    usage.ExactArgs("NAME"),
		RunE:    func(cmd *cobra.Command, args []string) error { return runSecretRemove(cmd, a, args[0], o) },
	}
	o.addFlags(cmd, a)
	return cmd
}

func runSecretRemove(cmd *cobra.Command, a *app, name string, o secretChoice) error {
	c, namespace, err := a.clientOfNamespace(cmd.Context())
	if err != nil {
		return err
	}
	tags := strings.Join(strings.FieldsFunc(o.tags, isSeparator), " ")
	secret, found, err := find(cmd.Context(), c.Secrets, namespace, func(s api.Secret) bool {
		return s.Name == name && s.Kind == o.kind() && strings.EqualFold(s.Image, o.image) && s.Tags == tags
	})
	if err != nil {
		return err
	}
	if !found {
		return usage.Errorf("there is no %s for the image %s and the versions %s; `fandogh secret list` lists the secrets",
			a.secretTitle(api.Secret{Name: name, Kind: o.kind()}), a.everything(o.image), a.everything(o.tags))
	}
	if err := c.DeleteSecret(cmd.Context(), namespace, secret.ID); err != nil {
		return err
	}
	a.print("Removed the %s.", a.secretTitle(secret))
	return nil
}

// isSeparator tells what stands between patterns.
func isSeparator(r rune) bool { return r == ',' || r == ' ' }
