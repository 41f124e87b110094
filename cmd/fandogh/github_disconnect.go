package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newGitHubDisconnectCommand(a *app) *cobra.Command {
	var o versionFlags
	cmd := &cobra.Command{
		Use:     "disconnect",
		Short:   "Disconnect an image from its repository",
		Long:    `Disconnect an image from its repository. Built versions stay. Delete the webhook on GitHub, too.`,
		Example: `  fandogh github disconnect --image shop`,
		Args:    usage.ExactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runGitHubDisconnect(cmd.Context(), a, o) },
	}
	o.addImage(cmd, a)
	return cmd
}

func runGitHubDisconnect(ctx context.Context, a *app, o versionFlags) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if err := o.fillImage(ctx, a); err != nil {
		return err
	}
	if err := c.DisconnectGitHub(ctx, o.image); err != nil {
		return err
	}
	a.print("Image Disconnected Successfully")
	return nil
}
