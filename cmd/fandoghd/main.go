// Fandoghd receives git pushes, builds them into container images and serves
// the images, a REST catalog of them and their build logs.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/builder/buildkit/dockerfile"
	"github.com/fandoghpaas/fandogh/internal/usage"
	"github.com/fandoghpaas/fandogh/internal/version"
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
	root := group("fandoghd", "Turn git pushes into container images", newServeCommand(), newAdminCommand())
	root.Long = "fandoghd is a git server, an image builder, an image registry and a catalog of images in one daemon.\n" +
		"`git push` a tag to it, and the tag becomes a version of an image.\n\n" +
		"Exit status: 0 success, 1 failure, 2 usage error."
	root.Version = version.String()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
	})
	return root
}

// group is a command that only holds others.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short,
		Args: cobra.ArbitraryArgs, // what is no command reaches RunE and is told so
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return usageError{errors.New(usage.UnknownCommand(cmd, args[0]))}
		},
	}
	cmd.AddCommand(children...)
	return cmd
}

// exactArgs is cobra.ExactArgs that names what is wanted.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == len(names):
			return nil
		case len(names) == 0:
			return usageError{fmt.Errorf("`%s` does not accept the argument %q; see `%s --help`", cmd.CommandPath(), args[0], cmd.CommandPath())}
		}
		return usageError{fmt.Errorf("`%s` accepts only %s", cmd.CommandPath(), strings.Join(names, " and "))}
	}
}
