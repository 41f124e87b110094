package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newImageRebuildCommand(a *app) *cobra.Command {
	var o rebuildOptions
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Rebuild a failed version from the same sources",
		Long: `Rebuild a version whose last build failed from the same sources, and show the
log until the build ends. A built version never changes.

It is built with the options of its last build, but for those given by --option,
which are those of git push -o that are about a build. no-cache=false,
pull=false, build-arg=NAME and an option without a value, such as target=, take
back what the last build had.`,
		Example: `  fandogh image rebuild --image shop --version 1.0
  fandogh image rebuild -i shop -v 1.0 --detach
  fandogh image rebuild -i shop -v 1.0 --option no-cache --option build-arg=DEBUG=1`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runImageRebuild(cmd.Context(), a, o) },
	}
	o.add(cmd, a)
	addTimestamps(cmd, &o.timestamps)
	addDetach(cmd, &o.detach)
	cmd.Flags().StringArrayVar(&o.options, "option", nil, "change this `option` of the last build; may be repeated")
	return cmd
}

// rebuildOptions are what a rebuild is asked for.
type rebuildOptions struct {
	publishOptions
	options []string
}

func runImageRebuild(ctx context.Context, a *app, o rebuildOptions) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if err := o.fill(ctx, a); err != nil {
		return err
	}
	build, err := c.Rebuild(ctx, o.image, o.version, o.options...)
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
