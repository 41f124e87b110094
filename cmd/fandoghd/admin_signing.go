package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/config"
	"github.com/fandoghpaas/fandogh/hooks/signing"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

// signingKeys are the keys of a data directory, or with the private one that the operator gives.
func signingKeys(data string, c config.Signing) signing.Keys {
	keys := signing.Keys{Private: filepath.Join(data, "signing.key"), Public: filepath.Join(data, "signing.pub")}
	if c.Key != "" {
		keys.Private, keys.Given = c.Key, true
	}
	return keys
}

func (a *admin) newSigningKey() *cobra.Command {
	cmd := &cobra.Command{Use: "signing-key", Short: "Print the public key that versions are signed with, or change it", Args: usage.ExactArgs(),
		Long: "Print the public key with which built versions and their provenance are signed now, in PEM, as `cosign verify --key` and `fandogh verify --key`\n" +
			"read it. The private key is signing.key in the data directory, or the file that the setting signing.key names.",
		Example: "  fandoghd admin --data data signing-key > fandogh.pub",
	}
	cmd.RunE = a.verb(func(cmd *cobra.Command, _ []string) error {
		known, err := signingKeys(a.data, config.Signing{}).Known()
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(cmd.OutOrStdout(), known[0].PEM())
		return err
	})
	cmd.AddCommand(a.newSigningKeyList(), a.newSigningKeyRotate(), a.newSigningKeyForget())
	return cmd
}

func (a *admin) newSigningKeyList() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the keys whose signatures are accepted", Args: usage.ExactArgs(),
		RunE: a.verb(func(cmd *cobra.Command, _ []string) error {
			known, err := signingKeys(a.data, config.Signing{}).Known()
			if err != nil {
				return err
			}
			rows := [][]string{{"FINGERPRINT", "USE"}}
			for i, key := range known {
				use := "verifies"
				if i == 0 {
					use = "signs"
				}
				rows = append(rows, []string{key.Fingerprint, use})
			}
			return table(cmd, rows...)
		})}
}

func (a *admin) newSigningKeyRotate() *cobra.Command {
	return &cobra.Command{Use: "rotate", Short: "Create another key to sign with", Args: usage.ExactArgs(),
		Long: "Create another key, which signs versions from now on. Signatures by the keys before it stay valid, until `forget` removes them.",
		RunE: a.verb(func(cmd *cobra.Command, _ []string) error {
			key, err := signingKeys(a.data, config.Signing{}).Rotate()
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Versions are signed with key %s.\n", key.Fingerprint)
			return a.did(cmd, "signing key rotated", "fingerprint", key.Fingerprint)
		})}
}

func (a *admin) newSigningKeyForget() *cobra.Command {
	return &cobra.Command{Use: "forget FINGERPRINT", Short: "Accept the signatures of an old key no more", Args: usage.ExactArgs("FINGERPRINT"),
		RunE: a.verb(func(cmd *cobra.Command, args []string) error {
			if err := signingKeys(a.data, config.Signing{}).Forget(args[0]); err != nil {
				return err
			}
			return a.did(cmd, "signing key forgotten", "fingerprint", args[0])
		})}
}
