package main

import (
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/bounded"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

// maxSecret bounds a secret's value, in bytes.
const maxSecret = 64 << 10

type secretSetOptions struct {
	secretChoice
	output
}

func newSecretSetCommand(a *app) *cobra.Command {
	var o secretSetOptions
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Set a secret to what is on standard input",
		Long: `Set a secret to what is on standard input, to the byte and at most 64 KiB. A secret of the
same name, image and tags gets the new value. A build is given the most specific
secret of a name: that of its image before that of the namespace, and one for some
versions before one for all.

With --ssh the value is a private key without a passphrase. Steps reach it through an
SSH agent and can't read it; the name default is for mounts without an id.`,
		Example: `  fandogh secret set npm_token < token.txt
  printf %s "$TOKEN" | fandogh secret set npm_token --image shop --tags 'v*'
  fandogh secret set default --ssh < ~/.ssh/deploy_key`,
		Args: usage.ExactArgs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error { return runSecretSet(cmd, a, args[0], o) },
	}
	o.addFlags(cmd, a)
	o.output.addFlag(cmd)
	return cmd
}

func runSecretSet(cmd *cobra.Command, a *app, name string, o secretSetOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if isTerminal(a.in) {
		return usage.Errorf("the value is read from standard input: %s < FILE", cmd.CommandPath()+" "+name)
	}
	value, err := bounded.ReadAll(a.in, maxSecret)
	if err != nil {
		return usage.Errorf("failed to read the value from standard input: %w", err)
	}
	c, namespace, err := a.clientOfNamespace(cmd.Context())
	if err != nil {
		return err
	}
	set, err := c.SetSecret(cmd.Context(), namespace, api.SetSecret{Name: name, Kind: o.kind(), Image: o.image, Tags: o.tags, Value: value})
	if err != nil {
		return err
	}
	return o.show(a, set, func(w *table) { row(w, w.Text("Set the %s.", a.secretTitle(set))) })
}
