package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newImageCancelCommand(a *app) *cobra.Command {
	var o versionFlags
	cmd := &cobra.Command{
		Use:   "cancel",
		Short: "Cancel a version's build",
		Long: `Cancel the build of a version, whether it is running or queued. The version becomes
FAILED and can be built again.`,
		Example: `  fandogh image cancel --image shop --version 1.0`,
		Args:    usage.ExactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runImageCancel(cmd.Context(), a, o) },
	}
	o.add(cmd, a)
	return cmd
}

func runImageCancel(ctx context.Context, a *app, o versionFlags) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if err := o.fill(ctx, a); err != nil {
		return err
	}
	message, err := c.Cancel(ctx, o.image, o.version)
	if err != nil {
		return err
	}
	a.answer(message)
	return nil
}
