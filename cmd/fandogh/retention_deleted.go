package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newRetentionDeletedCommand(a *app) *cobra.Command {
	var o versionFlags
	var out output
	cmd := &cobra.Command{
		Use: "deleted", Short: "List the deleted versions of an image",
		Long: `List the built versions of an image that retention removed or a user deleted. Their names are free for
the same images alone; an administrator of the server can free one (fandoghd admin tombstone lift).`,
		Example: "  fandogh retention deleted --image shop",
		Args:    usage.ExactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runRetentionDeleted(cmd.Context(), a, o, out) },
	}
	o.addImage(cmd, a)
	out.addFlag(cmd)
	return cmd
}

func runRetentionDeleted(ctx context.Context, a *app, o versionFlags, out output) error {
	if err := out.check(); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	if err := o.fillImage(ctx, a); err != nil {
		return err
	}
	deleted, err := c.DeletedVersions(ctx, o.image)
	if err != nil {
		return err
	}
	return out.show(a, deleted, func(w *table) {
		w.heads("VERSION", "DELETED", "DIGEST", "WHY")
		for _, v := range deleted {
			row(w, v.Version, w.time(v.DeletedAt), v.Digest, v.Reason)
		}
	})
}
