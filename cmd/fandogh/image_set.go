package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

type imageSetOptions struct {
	versionFlags
	signedTags string
}

func newImageSetCommand(a *app) *cobra.Command {
	var o imageSetOptions
	cmd := &cobra.Command{
		Use:   "set",
		Short: "Change the settings of an image",
		Long: `Change the settings of an image. With --signed-tags required, only annotated tags
with a good SSH or OpenPGP signature (git tag -s) by a key of a member who may write
become versions. Uploads, images that are pushed, branches and lightweight tags are
refused then, and so are rebuilds of them. Versions that are built stay.`,
		Example: `  fandogh image set --image shop --signed-tags required
  fandogh image set --image shop --signed-tags off`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.signedTags == "" {
				return usage.Errorf("nothing to change; give --signed-tags")
			}
			return runImageSet(cmd.Context(), a, o)
		},
	}
	o.addImage(cmd, a)
	cmd.Flags().StringVar(&o.signedTags, "signed-tags", "", "`required` or off: whether only signed tags become versions")
	return cmd
}

func runImageSet(ctx context.Context, a *app, o imageSetOptions) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if err := o.fillImage(ctx, a); err != nil {
		return err
	}
	image, err := c.UpdateImage(ctx, o.image, api.UpdateImage{SignedTags: &o.signedTags})
	if err != nil {
		return err
	}
	a.print("Set signed tags of %s/%s: %s", image.Namespace, image.Name, image.SignedTags)
	return nil
}
