// Fandogh is the client of a Fandogh server: it publishes images from a
// directory and looks after them.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/language"
	"github.com/fandoghpaas/fandogh/internal/usage"
	"github.com/fandoghpaas/fandogh/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	a := newApp()
	root := newRootCommand(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil {
		a.sayError(err)
	}
	return exitCode(ctx, err)
}

func newRootCommand(a *app) *cobra.Command {
	root := group("fandogh", "Publish and manage container images",
		`Publish and manage container images.

A directory with a Dockerfile becomes an image by `+"`fandogh image init`"+`; each
`+"`fandogh image publish`"+` sends it to the server, which builds a version of the
image. A version never changes once it is built.

The server's address is taken from --server, else $FANDOGH_SERVER, else the
last login, else `+defaultServer+`. $FANDOGH_TOKEN takes the place
of a login, and $FANDOGH_NAMESPACE that of --namespace.

`+exitCodeHelp(language.Speaker{}),
		`  fandogh login --server https://fandogh.example.com
  fandogh image init --name shop
  fandogh image publish --version 1.0
  fandogh image logs --image shop --version 1.0`,
		newLoginCommand(a), newLogoutCommand(a), newWhoamiCommand(a), newImageCommand(a),
		newKeyCommand(a), newTokenCommand(a), newNamespaceCommand(a), newGitHubCommand(a), newWebhookCommand(a), newMirrorCommand(a), newQueueCommand(a), newUserCommand(a), newAuditCommand(a), newSecretCommand(a), newRegistryCommand(a), newRetentionCommand(a), newTombstoneCommand(a), newUsageCommand(a), newVerifyCommand(a), newSBOMCommand(a), newCompletionCommand(), usage.NewMan("1"))
	root.Version = version.String()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(usage.OfFlag)
	root.PersistentFlags().StringVar(&a.server, "server", "", "`address` of the server")
	root.PersistentFlags().StringVar(&a.namespace, "namespace", "", "`name` of the namespace to use (default your own)")
	a.addLanguage(root)
	return root
}

// group is a command that only holds others.
func group(use, short, long, example string, children ...*cobra.Command) *cobra.Command {
	return usage.Group(&cobra.Command{Use: use, Short: short, Long: long, Example: example}, children...)
}
