package main

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newTombstoneCommand(a *app) *cobra.Command {
	return group("tombstone", "Show and free names that stay taken",
		`Show and free names that stay taken: those of built versions that were deleted, which the
same image alone can have again, and those that images had before they were transferred
to another namespace.`,
		`  fandogh tombstone list --image shop
  fandogh tombstone lift --image shop --version 1.0`,
		newTombstoneListCommand(a), newTombstoneLiftCommand(a))
}

func newTombstoneListCommand(a *app) *cobra.Command {
	var o versionFlags
	var out output
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List names that stay taken",
		Long: `List the deleted versions of an image whose names stay taken, or without --image the
names of images that were transferred from the namespace.`,
		Example: `  fandogh tombstone list --image shop
  fandogh tombstone list`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("image") {
				return runRetentionDeleted(cmd.Context(), a, o, out)
			}
			return runTombstoneList(cmd.Context(), a, out)
		},
	}
	cmd.Flags().StringVarP(&o.image, "image", "i", "", "`name` of the image")
	complete(cmd, "image", a.completeImages)
	out.addFlag(cmd)
	return cmd
}

func runTombstoneList(ctx context.Context, a *app, out output) error {
	if err := out.check(); err != nil {
		return err
	}
	c, namespace, err := a.clientOfNamespace(ctx)
	if err != nil {
		return err
	}
	former, err := c.FormerImages(ctx, namespace)
	if err != nil {
		return err
	}
	return out.show(a, former, func(w *table) {
		w.heads("IMAGE", "NOW")
		for _, f := range former {
			row(w, f.From, f.To)
		}
	})
}

func newTombstoneLiftCommand(a *app) *cobra.Command {
	var o versionFlags
	cmd := &cobra.Command{
		Use:   "lift",
		Short: "Free the name of a deleted version, or of a transferred image",
		Long: `Free the name of a deleted version, or without --version the name that an image had before
it was transferred: another image may have it then, and those who still use the name get that
one. This is for administrators.`,
		Example: `  fandogh tombstone lift --image shop --version 1.0
  fandogh tombstone lift --image shop`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.image == "":
				return usage.Errorf("--image is required")
			case cmd.Flags().Changed("version") && o.version == "":
				return usage.Errorf("--version is empty; omit it to free the name of an image that was transferred")
			}
			return runTombstoneLift(cmd.Context(), a, o)
		},
	}
	cmd.Flags().StringVarP(&o.image, "image", "i", "", "`name` of the image")
	o.addVersion(cmd, a)
	return cmd
}

func runTombstoneLift(ctx context.Context, a *app, o versionFlags) error {
	c, namespace, err := a.clientOfNamespace(ctx)
	if err != nil {
		return err
	}
	if o.version == "" {
		err = c.FreeImage(ctx, namespace, o.image)
	} else {
		err = c.FreeVersion(ctx, namespace, o.image, o.version)
	}
	if err != nil {
		return err
	}
	a.print("Another image may have the name %s now.", cmp.Or(o.version, namespace+"/"+o.image))
	return nil
}
