package main

import (
	"context"
	"fmt"
	"io"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/client"
)

type publishOptions struct {
	versionFlags
	detach     bool
	timestamps bool
}

func newImagePublishCommand(a *app) *cobra.Command {
	var o publishOptions
	cmd := &cobra.Command{
		Use:   "publish",
		Short: "Send the current directory and build a version of it",
		Long: `Send the current directory to the server, which builds it with its Dockerfile
into a new version of the image, and show the build's log until it ends.

What ` + dockerIgnore + ` and ` + fandoghIgnore + ` name is not sent, and .git never is; the Dockerfile
always is. The two files are written alike; an exception (!) in one does not
bring back what the other leaves out.

Ctrl-C while the log is shown only stops looking; the build goes on.

The Dockerfile and the build context may stand elsewhere in the directory, as
build.dockerfile and build.context of ` + projectFile + ` say.`,
		Example: `  fandogh image publish --version 1.0
  fandogh image publish -v 1.1 --detach
  fandogh image publish -v 1.2 --with_timestamp`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runImagePublish(cmd.Context(), a, o) },
	}
	o.add(cmd, a)
	addTimestamps(cmd, &o.timestamps)
	addDetach(cmd, &o.detach)
	return cmd
}

func addTimestamps(cmd *cobra.Command, to *bool) {
	cmd.Flags().BoolVar(to, "with_timestamp", false, "begin each line with how long into the build it was printed")
}

func addDetach(cmd *cobra.Command, to *bool) {
	cmd.Flags().BoolVarP(to, "detach", "d", false, "return as soon as the build is queued")
}

func runImagePublish(ctx context.Context, a *app, o publishOptions) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	p, err := readProject(".")
	if err != nil {
		return err
	}
	files, err := openWorkspace(".", p)
	if err != nil {
		return err
	}
	if err := a.chooseImage(ctx, c, p, &o); err != nil {
		return err
	}
	if o.version, err = a.given(ctx, o.version, "Image version", "--version"); err != nil {
		return err
	}
	message, err := a.upload(ctx, c, o.versionFlags, files)
	if err != nil {
		return err
	}
	row(a.out, message)
	if o.detach {
		a.say("The build goes on.\n%s", howToLook(o.image, o.version))
		return nil
	}
	return a.follow(ctx, c, o.image, o.version, o.timestamps)
}

// chooseImage finds the image to publish to. In a directory without one
// somebody who is there can make one now.
func (a *app) chooseImage(ctx context.Context, c *client.Client, p project, o *publishOptions) error {
	if o.image == "" {
		o.image = p.image()
	}
	if o.image != "" {
		return nil
	}
	if !a.interactive() {
		return usagef("this directory belongs to no image yet; run `fandogh image init --name NAME` first, or give --image")
	}
	a.say("This directory belongs to no image yet. If it is the right one, give the image a name.")
	name, err := a.given(ctx, "", "Image name", "--image")
	if err != nil {
		return err
	}
	o.image = name
	return a.initImage(ctx, c, initOptions{name: name})
}

// upload sends the files and returns the server's sentence.
func (a *app) upload(ctx context.Context, c *client.Client, v versionFlags, files *workspace) (string, error) {
	a.say("sending %d files, %s, as %s:%s", len(files.files), units.HumanSize(float64(files.size)), v.image, v.version)
	var done func()
	message, err := c.CreateVersion(ctx, v.image, v.version, func(w io.Writer) error {
		var counter io.Writer
		counter, done = a.uploadProgress(files.size)
		return files.writeZip(ctx, w, counter)
	})
	if done != nil {
		done()
	}
	if ctx.Err() != nil {
		return "", fmt.Errorf("the upload was interrupted; nothing is built, and %s can be published again", v.version)
	}
	return message, err
}
