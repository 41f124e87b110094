package main

import (
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newSecretListCommand(a *app) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List secrets",
		Long:    `List the secrets of the namespace and when their values were set. The values are never shown.`,
		Example: `  fandogh secret list`,
		Args:    usage.ExactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runSecretList(cmd, a, out) },
	}
	out.addFlag(cmd)
	return cmd
}

func runSecretList(cmd *cobra.Command, a *app, out output) error {
	if err := out.check(); err != nil {
		return err
	}
	c, namespace, err := a.clientOfNamespace(cmd.Context())
	if err != nil {
		return err
	}
	secrets, err := c.Secrets(cmd.Context(), namespace)
	if err != nil {
		return err
	}
	return out.show(a, secrets, func(w *table) {
		w.heads("NAME", "KIND", "IMAGE", "TAGS", "SET")
		for _, s := range secrets {
			row(w, s.Name, s.Kind, w.everything(s.Image), w.everything(s.Tags), w.time(s.SetAt))
		}
	})
}
