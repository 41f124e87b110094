package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/catalog/client"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

type logsOptions struct {
	versionFlags
	follow     bool
	timestamps bool
}

func newImageLogsCommand(a *app) *cobra.Command {
	var o logsOptions
	cmd := &cobra.Command{
		Use:   "logs",
		Short: "Show the log of a version's build",
		Long: `Show the log of a version's newest build so far, or with --follow
until the build ends. The exit status is 201 if the build failed.

With --with_timestamp each line begins with the time since the build started,
which shows the slow steps.`,
		Example: `  fandogh image logs --image shop --version 1.0
  fandogh image logs -i shop -v 1.0 --with_timestamp
  fandogh image logs -i shop -v 1.1 --follow`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runImageLogs(cmd.Context(), a, o) },
	}
	o.add(cmd, a)
	addTimestamps(cmd, &o.timestamps)
	cmd.Flags().BoolVarP(&o.follow, "follow", "f", false, "follow the log until the build ends")
	return cmd
}

func runImageLogs(ctx context.Context, a *app, o logsOptions) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if err := o.fill(ctx, a); err != nil {
		return err
	}
	if o.follow {
		return a.follow(ctx, c, o.image, o.version, o.timestamps)
	}
	state, err := c.Log(ctx, o.image, o.version, o.timestamps, a.showLine)
	if err != nil {
		return err
	}
	if !client.Ended(state) {
		a.say("The build is %s; use --follow to follow its log.", a.state(state))
		return nil
	}
	return a.buildError(o.image, o.version, api.BuildEnd{State: state})
}
