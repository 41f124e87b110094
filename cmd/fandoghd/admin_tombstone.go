package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func (a *admin) newTombstoneList() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list NAMESPACE[/IMAGE]", Short: "List the deleted versions of an image, or the images that were transferred from a namespace",
		Args: usage.ExactArgs("NAMESPACE[/IMAGE]"),
	}
	versions := a.onImage(func(cmd *cobra.Command, image catalog.Image, _ []string) error {
		deleted, err := a.store.ListTombstones(cmd.Context(), image.ID)
		if err != nil {
			return err
		}
		rows := [][]string{{"VERSION", "DELETED", "DIGEST", "REASON"}}
		for _, t := range deleted {
			rows = append(rows, []string{t.Version, t.At.Format(time.RFC3339), t.Digest, t.Reason})
		}
		return table(cmd, rows...)
	})
	images := a.verb(func(cmd *cobra.Command, args []string) error {
		n, err := a.store.Namespace(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		former, err := a.store.FormerNames(cmd.Context(), n.Name)
		if err != nil {
			return err
		}
		rows := [][]string{{"IMAGE", "NOW"}}
		for _, f := range former {
			rows = append(rows, []string{f.Ref.String(), f.Image.String()})
		}
		return table(cmd, rows...)
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if strings.Contains(args[0], "/") {
			return versions(cmd, args)
		}
		return images(cmd, args)
	}
	return cmd
}

func (a *admin) newTombstoneLift() *cobra.Command {
	cmd := &cobra.Command{
		Use: "lift NAMESPACE/IMAGE [VERSION]", Short: "Free the name of a deleted version, or of a transferred image",
		Long: "Free the name of a deleted version: another image may have it then. Who pulled the version before and pulls it again gets that one.\n" +
			"Without VERSION, free the name that an image had before it was transferred: another image may be created by it, and those who still use that name get that one.",
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return usage.ExactArgs("NAMESPACE/IMAGE", "VERSION")(cmd, args)
	}
	version := a.onImage(func(cmd *cobra.Command, image catalog.Image, args []string) error {
		if err := a.store.LiftTombstone(cmd.Context(), image.ID, args[0]); err != nil {
			return err
		}
		return a.did(cmd, "name of a deleted version freed", "image", image.Ref.String(), "version", args[0])
	})
	name := a.verb(func(cmd *cobra.Command, args []string) error {
		ref, err := imageRef(args[0])
		if err == nil {
			err = a.store.FreeFormerName(cmd.Context(), ref)
		}
		if err != nil {
			return err
		}
		return a.did(cmd, "name of a transferred image freed", "image", ref.String())
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return name(cmd, args)
		}
		return version(cmd, args)
	}
	return cmd
}
