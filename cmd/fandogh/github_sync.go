package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newGitHubSyncCommand(a *app) *cobra.Command {
	var o versionFlags
	cmd := &cobra.Command{
		Use:   "sync",
		Short: "Build the repository's tags that are not versions yet",
		Long: `Build the repository's tags that are not versions yet. The server also does so from
time to time, because GitHub sends no event when more than three tags are pushed at
once.`,
		Example: `  fandogh github sync --image shop`,
		Args:    usage.ExactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runGitHubSync(cmd.Context(), a, o) },
	}
	o.addImage(cmd, a)
	return cmd
}

func runGitHubSync(ctx context.Context, a *app, o versionFlags) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if err := o.fillImage(ctx, a); err != nil {
		return err
	}
	text, err := c.SyncGitHub(ctx, o.image)
	if err != nil {
		return err
	}
	a.answer(text)
	return nil
}
