package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newRetentionUnsetCommand(a *app) *cobra.Command {
	var o ruleFlags
	cmd := &cobra.Command{
		Use: "unset", Short: "Remove the rule of an image or of the namespace",
		Long:    `Remove the own rule of an image, or with no --image of the namespace: then the next one holds.`,
		Example: "  fandogh retention unset --image shop\n  fandogh retention unset --branches",
		Args:    usage.ExactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runRetentionUnset(cmd.Context(), a, o) },
	}
	o.addKind(cmd, a)
	return cmd
}

func runRetentionUnset(ctx context.Context, a *app, o ruleFlags) error {
	c, namespace, err := a.clientOfNamespace(ctx)
	if err != nil {
		return err
	}
	if err := c.DeleteRetentionRule(ctx, namespace, o.image, o.kind()); err != nil {
		return err
	}
	a.print("Removed the rule.")
	return nil
}
