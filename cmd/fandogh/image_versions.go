package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/client"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

type versionsOptions struct {
	versionFlags
	output
	states []string
	limit  int
}

var versionStates = []string{"PENDING", "BUILDING", "BUILT", "FAILED", "BUILD_FAILED"}

func newImageVersionsCommand(a *app) *cobra.Command {
	var o versionsOptions
	cmd := &cobra.Command{
		Use:   "versions",
		Short: "List the versions of an image",
		Long: `List the versions of an image, newest first.

A version is PENDING until its build begins, then BUILDING, and ends BUILT,
BUILD_FAILED (an error in the Dockerfile or the sources) or FAILED
(the server could not build it, or the build was cancelled).`,
		Example: `  fandogh image versions --image shop
  fandogh image versions -i shop --state BUILT --limit 10
  fandogh image versions -i shop --output json`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runImageVersions(cmd, a, o) },
	}
	o.addImage(cmd, a)
	o.addFlag(cmd)
	cmd.Flags().StringSliceVar(&o.states, "state", nil, "show only these `states`: "+strings.Join(versionStates, ", "))
	cmd.Flags().IntVar(&o.limit, "limit", 0, "show at most this `number` of versions (default all)")
	complete(cmd, "state", fixedValues(versionStates...))
	return cmd
}

func runImageVersions(cmd *cobra.Command, a *app, o versionsOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	for i, state := range o.states {
		o.states[i] = strings.ToUpper(state)
		if !slices.Contains(versionStates, o.states[i]) {
			return usage.Errorf("%q is not a valid state; the states are: %s", state, strings.Join(versionStates, ", "))
		}
	}
	if o.limit < 0 {
		return usage.Errorf("--limit must not be negative")
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	if err := o.fillImage(cmd.Context(), a); err != nil {
		return err
	}
	versions, err := client.Collect(c.Versions(cmd.Context(), o.image, o.states...), o.limit)
	if err != nil {
		return err
	}
	if len(versions) == 0 {
		a.say("No such versions of %s yet. Create one with `fandogh image publish`.", o.image)
	}
	return o.show(a, versions, func(w *table) {
		if len(versions) == 0 {
			return
		}
		w.heads("VERSION", "STATE", "PUBLISHED", "SIZE")
		for _, v := range versions {
			row(w, v.Version, w.state(v.State), w.time(v.Date), w.size(v.Size))
		}
	})
}
