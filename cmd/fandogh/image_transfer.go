package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

type transferOptions struct {
	versionFlags
	yes bool
}

func newImageTransferCommand(a *app) *cobra.Command {
	var o transferOptions
	cmd := &cobra.Command{
		Use:   "transfer NAMESPACE",
		Short: "Give an image to another namespace",
		Long: `Give an image to another namespace, with all its versions, its git repository, and
all images that are built from that repository. The image's own webhooks, GitHub
connection, secrets and retention rules go with it; members do not. You must be an
admin of both namespaces.

Nothing is had by the old name any more: pushes and pulls by it are refused and told
the new one. No other image can have the old name; a transfer back takes it again. You
are asked to confirm; without a terminal, --yes is required.`,
		Example: `  fandogh image transfer team --image shop
  fandogh image transfer team -i shop --yes`,
		Args: usage.ExactArgs("NAMESPACE"),
		RunE: func(cmd *cobra.Command, args []string) error { return runImageTransfer(cmd.Context(), a, o, args[0]) },
	}
	o.addImage(cmd, a)
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask for confirmation")
	return cmd
}

func runImageTransfer(ctx context.Context, a *app, o transferOptions, namespace string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if err := o.fillImage(ctx, a); err != nil {
		return err
	}
	if !o.yes {
		sure, err := a.confirm(ctx, a.Text("Transfer image %s to namespace %s? Its old name can't be used any more.", o.image, namespace))
		if err != nil || !sure {
			return err
		}
	}
	images, err := c.TransferImage(ctx, o.image, namespace)
	for _, i := range images {
		a.print("Image %s is %s now.", i.From, i.To)
	}
	return err
}
