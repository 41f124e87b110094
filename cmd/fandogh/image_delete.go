package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

type deleteOptions struct {
	versionFlags
	yes bool
}

func newImageDeleteCommand(a *app) *cobra.Command {
	var o deleteOptions
	cmd := &cobra.Command{
		Use:   "delete",
		Short: "Delete an image, or one of its versions",
		Long: `Delete an image with all its versions, builds, logs and its git repository, or
with --version only that version. This can't be undone, and the name of a built
version stays taken: only the same image can have it again. You are asked to confirm;
without a terminal, --yes is required.`,
		Example: `  fandogh image delete --image shop
  fandogh image delete -i shop -v 1.0 --yes`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("version") && o.version == "" {
				return usage.Errorf("--version is empty; omit it to delete the whole image")
			}
			return runImageDelete(cmd.Context(), a, o)
		},
	}
	o.add(cmd, a)
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask for confirmation")
	cmd.Flags().StringVar(&o.image, "name", "", "the same as --image")
	cmd.Flag("name").Hidden = true // scripts for older clients use it
	return cmd
}

func runImageDelete(ctx context.Context, a *app, o deleteOptions) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if err := o.fillImage(ctx, a); err != nil {
		return err
	}
	question, done := a.Text("Delete image %s with all its versions?", o.image), a.Text("Image Deleted Successfully")
	remove := func() error { return c.DeleteImage(ctx, o.image) }
	if o.version != "" {
		question, done = a.Text("Delete version %s of image %s?", o.version, o.image), a.Text("Version Deleted Successfully")
		remove = func() error { return c.DeleteVersion(ctx, o.image, o.version) }
	}
	if !o.yes {
		sure, err := a.confirm(ctx, question)
		if err != nil || !sure {
			return err
		}
	}
	if err := remove(); err != nil {
		return err
	}
	row(a.out, done)
	return nil
}
