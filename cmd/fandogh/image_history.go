package main

import (
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newImageHistoryCommand(a *app) *cobra.Command {
	var o inspectOptions
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Show the history of a version",
		Long: `Show the instructions that created a version's image, newest first, with the size
that each added, as docker image history does.`,
		Example: `  fandogh image history --image shop --version 1.0
  fandogh image history -i shop -v 1.0 --output json`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runImageHistory(cmd, a, o) },
	}
	o.add(cmd, a)
	o.addFlag(cmd)
	return cmd
}

func runImageHistory(cmd *cobra.Command, a *app, o inspectOptions) error {
	c, err := o.open(cmd.Context(), a)
	if err != nil {
		return err
	}
	entries, err := c.History(cmd.Context(), o.image, o.version)
	if err != nil {
		return err
	}
	return o.show(a, entries, func(w *table) {
		w.heads("CREATED", "CREATED BY", "SIZE", "COMMENT")
		for _, e := range entries {
			row(w, w.time(e.CreatedAt), oneLine(e.CreatedBy, 60), w.size(e.Size), oneLine(e.Comment, 40))
		}
	})
}
