// Fandoghd receives git pushes, builds them into container images and serves
// the images, a REST catalog of them and their build logs.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/builder/buildkit/dockerfile"
)

// Exit codes of the daemon and its admin verbs.
const (
	exitFailure = 1
	exitUsage   = 2
)

// usageError marks what the caller typed wrong.
type usageError struct{ error }

func main() {
	dockerfile.Main() // the daemon starts this program for each Dockerfile
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	root := newRootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "fandoghd:", err)
	var usage usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailure
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "fandoghd",
		Short: "Turn git pushes into container images",
		Long: "fandoghd is a git server, an image builder, an image registry and a catalog of images in one daemon.\n" +
			"`git push` a tag to it, and the tag becomes a version of an image.\n\n" +
			"Exit status: 0 done, 1 failed, 2 wrong usage.",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
	})
	root.AddCommand(newServeCommand(), newAdminCommand())
	return root
}

// exactArgs is cobra.ExactArgs that names what is wanted.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return usageError{fmt.Errorf("`%s` takes %d arguments %v, got %d", cmd.CommandPath(), len(names), names, len(args))}
		}
		return nil
	}
}
