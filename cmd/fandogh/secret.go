package main

import (
	"cmp"
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
)

func newSecretCommand(a *app) *cobra.Command {
	return group("secret", "Manage secrets that builds are given",
		`Manage secrets that builds are given: values for RUN --mount=type=secret,id=NAME, and
SSH keys for RUN --mount=type=ssh,id=NAME. The server stores them encrypted, never
shows them again, masks them in build logs and keeps them out of images. Without
--image a secret is for all images of the namespace.`,
		`  fandogh secret set npm_token < token.txt
  fandogh secret set default --ssh --image shop < ~/.ssh/deploy_key
  fandogh secret list`,
		newSecretSetCommand(a), newSecretListCommand(a), newSecretRemoveCommand(a))
}

// secretChoice tells one secret from others of the same name.
type secretChoice struct {
	image string
	tags  string
	ssh   bool
}

func (o *secretChoice) addFlags(cmd *cobra.Command, a *app) {
	f := cmd.Flags()
	f.StringVarP(&o.image, "image", "i", "", "`name` of the image (default all images of the namespace)")
	f.StringVar(&o.tags, "tags", "", "`patterns` of the versions that get it, separated by commas (default all versions)")
	f.BoolVar(&o.ssh, "ssh", false, "an SSH key instead of a value")
	complete(cmd, "image", a.completeImages)
}

func (o *secretChoice) kind() string {
	if o.ssh {
		return "ssh"
	}
	return "secret"
}

// everything is what an empty image or pattern stands for.
func (a *app) everything(text string) string { return cmp.Or(text, a.Text("all")) }

func (a *app) secretTitle(s api.Secret) string {
	if s.Kind == "ssh" {
		return a.Text("SSH key %s", s.Name)
	}
	return a.Text("secret %s", s.Name)
}

// find returns the entry of a namespace's list that is is true for.
func find[T any](ctx context.Context, list func(context.Context, string) ([]T, error), namespace string, is func(T) bool) (entry T, found bool, err error) {
	all, err := list(ctx, namespace)
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i], true, err
	}
	return entry, false, err
}
