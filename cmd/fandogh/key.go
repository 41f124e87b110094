package main

import (
	"strconv"

	"github.com/spf13/cobra"
)

func newKeyCommand(a *app) *cobra.Command {
	return group("key", "Manage the SSH keys that you push with",
		`Manage the SSH keys that you push with. git proves who you are by one of them.`,
		`  fandogh key add ~/.ssh/id_ed25519.pub
  fandogh key list`,
		newKeyAddCommand(a), newKeyListCommand(a), newKeyDeleteCommand(a))
}

// parseID reads the ID that lists show in their first column.
func parseID(text, what string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, usagef("%q is no ID of a %s; `fandogh %s list` shows them", text, what, what)
	}
	return id, nil
}
