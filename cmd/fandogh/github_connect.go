package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/bounded"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

type githubConnectOptions struct {
	versionFlags
	output
	tags, branches, paths, context string
	tokenStdin                     bool
	deployKey                      string
}

func newGitHubConnectCommand(a *app) *cobra.Command {
	var o githubConnectOptions
	cmd := &cobra.Command{
		Use:   "connect OWNER/NAME",
		Short: "Connect an image to a repository, or update the connection",
		Long: `Connect an image to a repository, or update its connection; settings that are not
given stay unchanged. The settings of the webhook on GitHub are printed, with a
secret that is shown only once.

Separate patterns with spaces or commas. A branch builds <branch>-<commit>. With
--paths a push builds only if one of these files differs from the newest version,
so that several images can come from one repository, each from its --context.

A private repository needs a token or a deploy key, and commit statuses a token.`,
		Example: `  fandogh github connect acme/shop --image shop
  fandogh github connect acme/mono -i api --tags v* --paths api/,shared/ --context api
  fandogh github connect acme/shop -i shop --branches main --token-stdin < token
  fandogh github connect acme/shop -i shop --deploy-key id_ed25519`,
		Args: usage.ExactArgs("OWNER/NAME"),
		RunE: func(cmd *cobra.Command, args []string) error { return runGitHubConnect(cmd, a, args[0], o) },
	}
	o.addImage(cmd, a)
	o.addFlag(cmd)
	f := cmd.Flags()
	f.StringVar(&o.tags, "tags", "", "`patterns` of tags to build (default v*)")
	f.StringVar(&o.branches, "branches", "", "`patterns` of branches to build (default none)")
	f.StringVar(&o.paths, "paths", "", "build only if a file that matches these `patterns` changed")
	f.StringVar(&o.context, "context", "", "`directory` of the repository to build")
	f.BoolVar(&o.tokenStdin, "token-stdin", false, "read an access token from standard input; an empty one removes it")
	f.StringVar(&o.deployKey, "deploy-key", "", "`file` of an SSH private key that may read the repository")
	return cmd
}

func runGitHubConnect(cmd *cobra.Command, a *app, repository string, o githubConnectOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	in, err := o.settings(cmd, a, repository)
	if err != nil {
		return err
	}
	if err := o.fillImage(cmd.Context(), a); err != nil {
		return err
	}
	made, err := c.ConnectGitHub(cmd.Context(), o.image, in)
	if err != nil {
		return err
	}
	return o.show(a, made, func(w *table) {
		fmt.Fprintln(w, w.Text("Connected %s to %s.", o.image, plain(made.Repository)))
		if made.Secret == "" {
			return
		}
		fmt.Fprintf(w, "%s\n\n", w.Text("On GitHub, under Settings > Webhooks > Add webhook, enter:"))
		row(w, "  Payload URL", made.WebhookURL)
		row(w, "  Content type", "application/json")
		row(w, "  Secret", made.Secret)
		fmt.Fprintf(w, "\n%s\n", w.Text("and choose \"Just the push event\". The secret is not shown again."))
	})
}

// settings holds what was given on the command line.
func (o githubConnectOptions) settings(cmd *cobra.Command, a *app, repository string) (api.ConnectGitHub, error) {
	in := api.ConnectGitHub{Repository: repository}
	for name, f := range map[string]struct {
		value string
		to    **string
	}{"tags": {o.tags, &in.Tags}, "branches": {o.branches, &in.Branches}, "paths": {o.paths, &in.Paths}, "context": {o.context, &in.Context}} {
		if cmd.Flags().Changed(name) {
			*f.to = &f.value
		}
	}
	if o.tokenStdin {
		text, err := bounded.ReadAll(a.in, maxKeyFile)
		if err != nil {
			return in, usage.Errorf("failed to read the token from standard input: %w", err)
		}
		token := strings.TrimSpace(string(text))
		in.Token = &token
	}
	if o.deployKey != "" {
		text, err := os.ReadFile(o.deployKey)
		if err != nil {
			return in, usage.Errorf("failed to read the deploy key: %w", err)
		}
		key := string(text)
		in.DeployKey = &key
	}
	return in, nil
}
