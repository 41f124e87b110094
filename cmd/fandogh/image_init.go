package main

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/client"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

type initOptions struct {
	name   string
	gitURL string
}

func newImageInitCommand(a *app) *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Create an image for the current directory",
		Long: `Create an image on the server and save its name in ` + projectFile + `,
where the other image commands find it. It has no versions yet; publish creates them.
Run it once for each project. An image that already exists is used as it is.

In a git work tree this also adds the remote "` + remoteName + `": a tag that is pushed to
it becomes a version.`,
		Example: `  fandogh image init --name shop
  fandogh image init -n shop --git-url ssh://git@fandogh.example.com:2222`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runImageInit(cmd.Context(), a, o) },
	}
	cmd.Flags().StringVarP(&o.name, "name", "n", "", "`name` of the image: letters, digits, - and _")
	cmd.Flags().StringVar(&o.gitURL, "git-url", "", "`URL` of the git server (default as the server reports it)")
	return cmd
}

func runImageInit(ctx context.Context, a *app, o initOptions) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	if o.name, err = a.given(ctx, o.name, "Image name", "--name"); err != nil {
		return err
	}
	return a.initImage(ctx, c, o)
}

// initImage makes the image and ties the current directory to it.
func (a *app) initImage(ctx context.Context, c *client.Client, o initOptions) error {
	message, err := c.CreateImage(ctx, o.name)
	switch {
	case client.StatusOf(err) == http.StatusConflict:
		a.say("An image named %s already exists; this directory will publish new versions of it. Choose another name if that is not intended.", o.name)
	case err != nil:
		return err
	default:
		a.answer(message)
	}
	if err := saveImage(".", o.name); err != nil {
		return err
	}
	if !inWorkTree(ctx, ".") {
		return nil
	}
	return a.addImageRemote(ctx, c, o)
}

func (a *app) addImageRemote(ctx context.Context, c *client.Client, o initOptions) error {
	t, err := a.target()
	if err != nil {
		return err
	}
	account, err := c.Account(ctx)
	if err != nil {
		return err
	}
	base := cmp.Or(o.gitURL, account.GitURL)
	if base == "" {
		a.say("The server did not report the URL of its git server, so no remote was added. To push with git, run this again with --git-url.")
		return nil
	}
	namespace := cmp.Or(t.namespace, account.Namespace)
	return a.addRemote(ctx, ".", strings.TrimRight(base, "/")+"/"+namespace+"/"+o.name)
}
