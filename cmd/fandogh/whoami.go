package main

import (
	"cmp"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newWhoamiCommand(a *app) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "whoami",
		Short: "Show the current user, server and namespace",
		Long: `Show the user you are logged in as, the server, and the namespace that commands
use. This asks the server, so it also shows whether the login is still valid.`,
		Example: `  fandogh whoami
  fandogh whoami --output json`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runWhoami(cmd, a, out) },
	}
	out.addFlag(cmd)
	return cmd
}

func runWhoami(cmd *cobra.Command, a *app, out output) error {
	if err := out.check(); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	account, err := c.Account(cmd.Context())
	if err != nil {
		return err
	}
	t, err := a.target()
	if err != nil {
		return err
	}
	namespace := cmp.Or(t.namespace, account.Namespace)
	shown := struct {
		Username  string `json:"username"`
		Namespace string `json:"namespace"` // in use
		Admin     bool   `json:"admin"`
		Server    string `json:"server"`
		GitURL    string `json:"git_url,omitempty"`
	}{account.Username, namespace, account.Admin, t.shown(), account.GitURL}
	return out.show(a, shown, func(w *table) {
		row(w, w.Text("user"), account.Username)
		row(w, w.Text("namespace"), namespace)
		row(w, w.Text("server"), t.shown())
		if account.GitURL != "" {
			row(w, w.Text("git"), account.GitURL)
		}
		if account.Admin {
			row(w, w.Text("admin"), w.Text("yes"))
		}
	})
}
