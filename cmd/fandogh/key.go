package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newKeyCommand(a *app) *cobra.Command {
	return group("key", "Manage your public keys",
		`Manage the SSH keys that you push with, by which the server identifies you, and the
OpenPGP keys that you sign tags with. SSH keys sign tags, too.`,
		`  fandogh key add ~/.ssh/id_ed25519.pub
  gpg --armor --export ali@example.org | fandogh key add -
  fandogh key list`,
		newKeyAddCommand(a), newKeyListCommand(a), newKeyDeleteCommand(a))
}

// parseID reads the ID that lists show in their first column.
func parseID(text, what string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, usage.Errorf("%q is not a valid %s ID; `fandogh %s list` shows the IDs", text, what, what)
	}
	return id, nil
}
