package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/bounded"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

type registryAddOptions struct {
	output
	registryScope
	username      string
	passwordStdin bool
}

func newRegistryAddCommand(a *app) *cobra.Command {
	var o registryAddOptions
	cmd := &cobra.Command{
		Use:   "add HOST",
		Short: "Add an account at a registry, or change it",
		Long: `Add an account at a registry, or change the one that is there. HOST is written as in image
names: ghcr.io or registry.example.com:5000. Docker Hub is docker.io, by any of its names.
An access token that may only read is better than a password.

With --installation, which is for administrators, the builds of every namespace without an
account of its own there use it: whatever it may pull, all users can.`,
		Example: `  fandogh registry add ghcr.io --username ali --password-stdin < token.txt
  fandogh registry add docker.io --username ali --password-stdin < token.txt
  fandogh registry add ghcr.io --installation --username bot --password-stdin < token.txt`,
		Args: usage.ExactArgs("HOST"),
		RunE: func(cmd *cobra.Command, args []string) error { return runRegistryAdd(cmd, a, args[0], o) },
	}
	o.output.addFlag(cmd)
	o.registryScope.add(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.username, "username", "u", "", "`name` of the account")
	f.BoolVar(&o.passwordStdin, "password-stdin", false, "read the password or token from standard input")
	return cmd
}

// registryPassword reads a password, which may have several lines: some registries take a key file's content.
func (a *app) registryPassword(cmd *cobra.Command, fromStdin bool) (string, error) {
	if !fromStdin {
		return a.password(cmd, loginOptions{})
	}
	text, err := bounded.ReadAll(a.in, maxSecret)
	if err != nil {
		return "", usage.Errorf("failed to read the password from standard input: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

func runRegistryAdd(cmd *cobra.Command, a *app, host string, o registryAddOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	username, err := a.given(cmd.Context(), o.username, "Username", "--username")
	if err != nil {
		return err
	}
	password, err := a.registryPassword(cmd, o.passwordStdin)
	if err != nil {
		return err
	}
	c, namespace, err := o.client(cmd.Context(), a)
	if err != nil {
		return err
	}
	added, err := c.SetRegistry(cmd.Context(), namespace, api.SetRegistry{Host: host, Username: username, Password: password})
	if err != nil {
		return err
	}
	return o.show(a, added, func(w *table) {
		row(w, w.Text("Builds of %s use the account %s at %s.", o.whose(a, namespace), added.Username, added.Host))
	})
}
