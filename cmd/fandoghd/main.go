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
	"github.com/fandoghpaas/fandogh/internal/sbom"
	"github.com/fandoghpaas/fandogh/internal/usage"
	"github.com/fandoghpaas/fandogh/internal/version"
)

// Exit codes of the daemon and its admin verbs.
const (
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	becomeChild()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

// becomeChild does not return where the daemon has started this program for a Dockerfile or a list of packages.
func becomeChild() {
	dockerfile.Main()
	sbom.Main()
}

func run(ctx context.Context, args []string) int {
	root := newRootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "fandoghd:", err)
	if errors.As(err, new(usage.Error)) {
		return exitUsage
	}
	return exitFailure
}

func newRootCommand() *cobra.Command {
	root := group("fandoghd", "Turn git pushes into container images", newServeCommand(), newDoctorCommand(), newAdminCommand(), usage.NewMan("8"))
	root.Long = "fandoghd is a git server, an image builder, an image registry and a catalog of images in one daemon.\n" +
		"`git push` a tag to it, and the tag becomes a version of an image.\n\n" +
		"Exit status: 0 success, 1 failure, 2 usage error."
	root.Version = version.String()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(usage.OfFlag)
	return root
}

// group is a command that only holds others.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	return usage.Group(&cobra.Command{Use: use, Short: short}, children...)
}
