package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newRetentionSetCommand(a *app) *cobra.Command {
	var o ruleFlags
	var out output
	cmd := &cobra.Command{
		Use: "set", Short: "Set the rule of an image or of the namespace",
		Long:    `Set the rule of an image, or with no --image of the namespace, in place of the one it has. Look at retention preview first.`,
		Example: "  fandogh retention set --image shop --keep-last 10 --keep 'v*.0'\n  fandogh retention set --branches --keep-days 14",
		Args:    usage.ExactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runRetentionSet(cmd.Context(), a, o, out) },
	}
	o.addKind(cmd, a)
	o.addRule(cmd)
	out.addFlag(cmd)
	return cmd
}

func runRetentionSet(ctx context.Context, a *app, o ruleFlags, out output) error {
	if err := out.check(); err != nil {
		return err
	}
	if o.empty() {
		return usage.Errorf("the rule is empty; give --keep-last, --keep-days or --keep, or remove the rule with `fandogh retention unset`")
	}
	c, namespace, err := a.clientOfNamespace(ctx)
	if err != nil {
		return err
	}
	rules, err := c.SetRetentionRule(ctx, namespace, o.image, o.kind(), o.rule)
	if err != nil {
		return err
	}
	return showRules(a, out, rules)
}
