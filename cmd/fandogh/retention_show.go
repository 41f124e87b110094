package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newRetentionShowCommand(a *app) *cobra.Command {
	var o ruleFlags
	var out output
	cmd := &cobra.Command{
		Use: "show", Short: "Show the rules of an image or of the namespace",
		Long:    `Show the rules that are in force for an image, or with no --image for the images of the namespace that have none of their own, and whose they are.`,
		Example: "  fandogh retention show --image shop\n  fandogh retention show --namespace team",
		Args:    usage.ExactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runRetentionShow(cmd.Context(), a, o.image, out) },
	}
	cmd.Flags().StringVarP(&o.image, "image", "i", "", "`name` of the image (default all images of the namespace)")
	complete(cmd, "image", a.completeImages)
	out.addFlag(cmd)
	return cmd
}

func runRetentionShow(ctx context.Context, a *app, image string, out output) error {
	if err := out.check(); err != nil {
		return err
	}
	c, namespace, err := a.clientOfNamespace(ctx)
	if err != nil {
		return err
	}
	rules, err := c.RetentionRules(ctx, namespace, image)
	if err != nil {
		return err
	}
	return showRules(a, out, rules)
}
