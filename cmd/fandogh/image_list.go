package main

import (
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/catalog/client"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newImageListCommand(a *app) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the images of the namespace",
		Long:  `List the images of the namespace with the newest version of each, newest image first.`,
		Example: `  fandogh image list
  fandogh image list --namespace team --output json`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runImageList(cmd, a, out) },
	}
	out.addFlag(cmd)
	return cmd
}

func runImageList(cmd *cobra.Command, a *app, out output) error {
	if err := out.check(); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	images, err := client.Collect(c.Images(cmd.Context()), 0)
	if err != nil {
		return err
	}
	if len(images) == 0 {
		a.say("No images yet. Create one with `fandogh image init`.")
	}
	return out.show(a, images, func(w *table) { imageTable(w, images) })
}

func imageTable(w *table, images []api.Image) {
	if len(images) == 0 {
		return
	}
	w.heads("NAMESPACE", "NAME", "LAST VERSION", "STATE", "PUBLISHED", "SIZE")
	for _, image := range images {
		last := image.LastVersion
		if last == nil {
			last = &api.Version{}
		}
		row(w, image.Namespace, image.Name, last.Version, w.state(last.State), w.time(last.Date), w.size(last.Size))
	}
}
