package main

import (
	"fmt"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/registry"
	"github.com/fandoghpaas/fandogh/config"
)

func (a *admin) newGC() *cobra.Command {
	var dryRun bool
	var grace time.Duration
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove image data that no version needs, and show what versions take",
		Long: "Remove blobs of the registry that no built version needs and nobody has used for the grace time. The daemon does the same by\n" +
			"itself; both may run at once, beside pushes, pulls and builds. Bytes that versions share are counted for each of them; OWN is what\n" +
			"deleting that version alone would free.",
		Example: "  fandoghd admin --data data gc --dry-run",
		Args:    exactArgs(),
	}
	cmd.RunE = a.verb(func(cmd *cobra.Command, _ []string) error {
		if grace <= 0 {
			return usageError{fmt.Errorf("--grace must be longer than any push takes, not %s", grace)}
		}
		images, err := registry.New(registry.Config{Dir: filepath.Join(a.data, "registry"), Store: a.store, Auth: a.accounts, Logger: hclog.NewNullLogger()})
		if err != nil {
			return err
		}
		defer images.Close() //nolint:errcheck // nothing is left to write
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "VERSION\tBYTES\tOWN")
		done, err := images.Collect(cmd.Context(), registry.CollectOptions{Grace: grace, DryRun: dryRun, Report: func(u registry.VersionUse) {
			fmt.Fprintf(w, "%s:%s\t%d\t%d\n", u.Image, u.Version, u.Bytes, u.Own)
		}})
		if err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
		verb := "removed"
		if dryRun {
			verb = "would remove"
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %d blobs of %d bytes, kept %d of %d bytes\n", verb, done.Freed.Blobs, done.Freed.Bytes, done.Kept.Blobs, done.Kept.Bytes)
		return err
	})
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would be removed")
	cmd.Flags().DurationVar(&grace, "grace", config.Default().Registry.Grace.Std(), "leave what was used within this `time`")
	return cmd
}
