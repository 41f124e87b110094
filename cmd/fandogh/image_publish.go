package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/client"
	"github.com/fandoghpaas/fandogh/internal/language"
	"github.com/fandoghpaas/fandogh/internal/usage"
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
		Short: "Build a version from the current directory",
		Long: `Send the current directory to the server, which builds a new version of the image
with its Dockerfile, and show the build's log until it ends.

What ` + dockerIgnore + ` and ` + fandoghIgnore + ` exclude is not sent. .git is never sent; the Dockerfile
always is. Both files have the same syntax; an exception (!) in one does not
bring back what the other excludes.

Ctrl-C while the log is shown only stops following; the build continues.

The Dockerfile and the build context can be elsewhere in the directory, as set by
build.dockerfile and build.context of ` + projectFile + `.`,
		Example: `  fandogh image publish --version 1.0
  fandogh image publish -v 1.1 --detach
  fandogh image publish -v 1.2 --with_timestamp`,
		Args: usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runImagePublish(cmd.Context(), a, o) },
	}
	o.add(cmd, a)
	addTimestamps(cmd, &o.timestamps)
	addDetach(cmd, &o.detach)
	return cmd
}

func addTimestamps(cmd *cobra.Command, to *bool) {
	cmd.Flags().BoolVar(to, "with_timestamp", false, "prefix each line with the time since the build started")
}

func addDetach(cmd *cobra.Command, to *bool) {
	cmd.Flags().BoolVarP(to, "detach", "d", false, "exit as soon as the build is queued")
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
	a.answer(message)
	if o.detach {
		a.say("The build continues.\n%s", a.howToLook(o.image, o.version))
		return nil
	}
	return a.follow(ctx, c, o.image, o.version, o.timestamps)
}

// chooseImage finds the image to publish to. In a directory without one
// a user at a terminal can create one now.
func (a *app) chooseImage(ctx context.Context, c *client.Client, p project, o *publishOptions) error {
	if o.image == "" {
		o.image = p.image()
	}
	if o.image != "" {
		return nil
	}
	if !a.interactive() {
		return usage.Errorf("this directory does not belong to an image yet; run `fandogh image init --name NAME` first, or give --image")
	}
	a.say("This directory does not belong to an image yet. Enter a name to create one.")
	name, err := a.given(ctx, "", "Image name", "--image")
	if err != nil {
		return err
	}
	o.image = name
	return a.initImage(ctx, c, initOptions{name: name})
}

// upload sends the files and returns the server's sentence.
func (a *app) upload(ctx context.Context, c *client.Client, v versionFlags, files *workspace) (string, error) {
	a.say("sending %d files, %s, as %s:%s", len(files.files), a.bytes(files.size), v.image, v.version)
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
		return "", language.Errorf("the upload was interrupted; nothing is built, and %s can be published again", v.version)
	}
	return message, err
}
