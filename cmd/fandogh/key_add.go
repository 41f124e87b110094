package main

import (
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/bounded"
	"github.com/fandoghpaas/fandogh/internal/language"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

// maxKeyFile bounds what is read as a public key, in bytes.
const maxKeyFile = 64 << 10

func newKeyAddCommand(a *app) *cobra.Command {
	var name, user string
	cmd := &cobra.Command{
		Use:   "add [FILE]",
		Short: "Add an SSH or OpenPGP public key",
		Long: `Add an SSH public key from FILE, which ends in .pub, or from standard input if
FILE is -. The default FILE is ~/.ssh/id_ed25519.pub. An OpenPGP public key, as gpg
--armor --export prints it, is one to sign tags with. To renew one, delete it first.`,
		Example: `  fandogh key add
  fandogh key add ~/.ssh/work.pub --name "work laptop"
  ssh-add -L | head -1 | fandogh key add -
  gpg --armor --export-options export-minimal --export KEY | fandogh key add -`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage.ExactArgs("FILE")(cmd, args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runKeyAdd(cmd, a, args, name, user) },
	}
	cmd.Flags().StringVarP(&name, "name", "n", "", "`name` of the key (default its comment or user ID)")
	userFlag(cmd, &user)
	return cmd
}

func runKeyAdd(cmd *cobra.Command, a *app, args []string, name, user string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	text, err := a.readKey(args)
	if err != nil {
		return err
	}
	in := api.CreateKey{Name: name, Key: text}
	var key api.Key
	if user != "" {
		key, err = c.CreateKeyOf(cmd.Context(), user, in)
	} else {
		key, err = c.CreateKey(cmd.Context(), in)
	}
	if err != nil {
		return err
	}
	a.print("Added key %d %s %s", language.Plain(key.ID), key.Fingerprint, key.Name)
	return nil
}

func (a *app) readKey(args []string) (_ string, err error) {
	var path string
	switch {
	case len(args) > 0 && args[0] == "-":
		return publicKey(a.in)
	case len(args) > 0:
		path = args[0]
	default:
		home, err := os.UserHomeDir()
		if err != nil {
			return "", usage.Errorf("give the file of the public key: %w", err)
		}
		path = filepath.Join(home, ".ssh", "id_ed25519.pub")
	}
	file, err := os.Open(path)
	if err != nil {
		return "", usage.Errorf("failed to read the public key: %w; `ssh-keygen -t ed25519` creates one", err)
	}
	defer joinClose(&err, file)
	return publicKey(file)
}

func publicKey(from io.Reader) (string, error) {
	data, err := bounded.ReadAll(from, maxKeyFile)
	if err != nil {
		return "", usage.Errorf("failed to read the public key: %w", err)
	}
	return string(data), nil
}
