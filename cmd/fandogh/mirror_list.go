package main

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newMirrorListCommand(a *app) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List kept images of other registries",
		Long: `List the images of other registries that the server keeps for builds, the last used
first. SIZE is what is kept of an image; layers that images share are counted for each.
CHECKED is when the registry last confirmed what the tag means.`,
		Example: `  fandogh mirror list
  fandogh mirror list --output json`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runMirrorList(cmd, a, out) },
	}
	out.addFlag(cmd)
	return cmd
}

func runMirrorList(cmd *cobra.Command, a *app, out output) error {
	if err := out.check(); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	images, err := c.Mirrored(cmd.Context())
	if err != nil {
		return err
	}
	return out.show(a, images, func(w *table) {
		w.heads("IMAGE", "TAGS", "DIGEST", "SIZE", "CHECKED", "USED")
		for _, i := range images {
			row(w, i.Name, cmp.Or(strings.Join(i.Tags, " "), "-"), i.Digest, w.size(i.Size), w.time(i.CheckedAt), w.time(i.UsedAt))
		}
	})
}
