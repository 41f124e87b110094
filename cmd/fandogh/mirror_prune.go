package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

type pruneOptions struct {
	image     string
	unusedFor string
	yes       bool
}

func newMirrorPruneCommand(a *app) *cobra.Command {
	var o pruneOptions
	cmd := &cobra.Command{
		Use:   "prune [IMAGE]",
		Short: "Remove kept images of other registries",
		Long: `Remove images of other registries that the server keeps for builds: those of one image, with
or without a tag or digest, or all. Builds pull them again when they need them. Without
IMAGE and --unused-for everything goes: you are asked to confirm, and without a terminal
--yes is required.`,
		Example: `  fandogh mirror prune --unused-for 30d
  fandogh mirror prune docker.io/library/alpine:3.20
  fandogh mirror prune --yes`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage.ExactArgs("IMAGE")(cmd, args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.image = strings.Join(args, "")
			return runMirrorPrune(cmd.Context(), a, o)
		},
	}
	cmd.Flags().StringVar(&o.unusedFor, "unused-for", "", "only what no build has used for this `duration`, such as 12h or 30d")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask for confirmation")
	return cmd
}

func runMirrorPrune(ctx context.Context, a *app, o pruneOptions) error {
	before, err := parseUnusedFor(o.unusedFor, time.Now())
	if err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	if o.image == "" && o.unusedFor == "" && !o.yes {
		if sure, err := a.confirm(ctx, a.Text("Remove all kept images of other registries?")); err != nil || !sure {
			return err
		}
	}
	done, err := c.PruneMirrored(ctx, o.image, before)
	if err != nil {
		return err
	}
	a.print("Removed %d images, %s", done.Images, a.bytes(done.Size))
	return nil
}

// parseUnusedFor reads a duration until now, days included. Empty is the zero time.
func parseUnusedFor(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	before, ok := later(text, now, -1)
	if !ok || before.After(now) {
		return time.Time{}, usage.Errorf("--unused-for %q is not a duration such as 12h or 30d", text)
	}
	return before, nil
}
