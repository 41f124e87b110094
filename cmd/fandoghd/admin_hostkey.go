package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/gitserver"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func (a *admin) newHostKeyList() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the SSH host keys", Args: usage.ExactArgs(),
		RunE: a.verb(func(cmd *cobra.Command, _ []string) error {
			keys, err := gitserver.HostKeys(a.data)
			if err != nil {
				return err
			}
			rows := [][]string{{"KIND", "FINGERPRINT", "USE"}}
			for _, k := range keys {
				use := "in use"
				if k.Next {
					use = "next"
				}
				rows = append(rows, []string{k.Kind, k.Fingerprint, use})
			}
			return table(cmd, rows...)
		})}
}

func (a *admin) newHostKeyRotate() *cobra.Command {
	var finish bool
	cmd := &cobra.Command{Use: "rotate", Short: "Change the SSH host keys, in two steps", Args: usage.ExactArgs(),
		Long: "Change the SSH host keys without a warning to clients that connect in between. `rotate` makes the next keys; the daemon, restarted,\n" +
			"proves them to every client, and OpenSSH adds them to its known hosts (UpdateHostKeys, on by default). Some weeks later `rotate --finish`\n" +
			"replaces the keys in use by them, and the daemon is restarted once more. Clients that did not connect in between are warned.",
		Example: "  fandoghd admin --data data hostkey rotate\n  fandoghd admin --data data hostkey rotate --finish",
	}
	cmd.RunE = a.verb(func(cmd *cobra.Command, _ []string) error {
		if !finish {
			if err := gitserver.MakeNextHostKeys(a.data); err != nil {
				return err
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "The next host keys were created; restart the daemon, which proves them to its clients, and run `fandoghd admin hostkey rotate --finish` some weeks later.")
			return a.did(cmd, "next SSH host keys made")
		}
		err := gitserver.UseNextHostKeys(a.data)
		if errors.Is(err, gitserver.ErrNoNextKeys) {
			return usage.Errorf("there are no next host keys; create them with `fandoghd admin hostkey rotate`")
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.ErrOrStderr(), "The next host keys replace those in use; restart the daemon.")
		return a.did(cmd, "SSH host keys replaced")
	})
	cmd.Flags().BoolVar(&finish, "finish", false, "replace the keys in use by the next ones")
	return cmd
}
