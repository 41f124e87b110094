package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newImageRebuildCommand(a *app) *cobra.Command {
	var o publishOptions
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Rebuild a failed version from the same sources",
		Long: `Rebuild a version whose last build failed from the same sources, and show the
log until the build ends. A built version never changes.`,
		Example: `  fandogh image rebuild --image shop --version 1.0
  fandogh image rebuild -i shop -v 1.0 --detach`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runImageRebuild(cmd.Context(), a, o) },
	}
	o.add(cmd, a)
	addTimestamps(cmd, &o.timestamps)
	addDetach(cmd, &o.detach)
	return cmd
}

func runImageRebuild(ctx context.Context, a *app, o publishOptions) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if err := o.fill(ctx, a); err != nil {
		return err
	}
	build, err := c.Rebuild(ctx, o.image, o.version)
	if err != nil {
		return err
	}
	a.say("Queued build %d of %s:%s.", build.Number, o.image, o.version)
	if o.detach {
		a.say("%s", a.howToLook(o.image, o.version))
		return nil
	}
	return a.follow(ctx, c, o.image, o.version, o.timestamps)
}
