package main

import "github.com/spf13/cobra"

func newRegistryCommand(a *app) *cobra.Command {
	return group("registry", "Manage accounts at other registries",
		`Manage the namespace's accounts at other registries. Its builds use them for FROM,
COPY --from and "# syntax=". The server stores passwords encrypted and never shows them
again.`,
		`  fandogh registry add ghcr.io --username ali --password-stdin < token.txt
  fandogh registry list`,
		newRegistryAddCommand(a), newRegistryListCommand(a), newRegistryRemoveCommand(a))
}
