package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func (a *admin) newTombstoneList() *cobra.Command {
	return &cobra.Command{Use: "list NAMESPACE/IMAGE", Short: "List the deleted versions of an image", Args: usage.ExactArgs("NAMESPACE/IMAGE"),
		RunE: a.onImage(func(cmd *cobra.Command, image catalog.Image, _ []string) error {
			deleted, err := a.store.ListTombstones(cmd.Context(), image.ID)
			if err != nil {
				return err
			}
			rows := [][]string{{"VERSION", "DELETED", "DIGEST", "REASON"}}
			for _, t := range deleted {
				rows = append(rows, []string{t.Version, t.At.Format(time.RFC3339), t.Digest, t.Reason})
			}
			return table(cmd, rows...)
		})}
}

func (a *admin) newTombstoneLift() *cobra.Command {
	return &cobra.Command{
		Use: "lift NAMESPACE/IMAGE VERSION", Short: "Free the name of a deleted version",
		Long: "Free the name of a deleted version: another image may have it then. Who pulled the version before and pulls it again gets that one.",
		Args: usage.ExactArgs("NAMESPACE/IMAGE", "VERSION"),
		RunE: a.onImage(func(cmd *cobra.Command, image catalog.Image, args []string) error {
			if err := a.store.LiftTombstone(cmd.Context(), image.ID, args[0]); err != nil {
				return err
			}
			return a.did(cmd, "name of a deleted version freed", "image", image.Ref.String(), "version", args[0])
		})}
}
