package main

import "github.com/spf13/cobra"

func newMirrorCommand(a *app) *cobra.Command {
	return group("mirror", "Manage kept images of other registries",
		`Manage the images of other registries that the server keeps for builds, so that they go
on when a registry does not respond or limits requests. These commands are for
administrators.`,
		`  fandogh mirror list
  fandogh mirror prune --unused-for 30d`,
		newMirrorListCommand(a), newMirrorPruneCommand(a))
}
