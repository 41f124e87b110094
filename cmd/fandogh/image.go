package main

import (
	"context"

	"github.com/spf13/cobra"
)

func newImageCommand(a *app) *cobra.Command {
	return group("image", "Create, publish and manage images",
		`Create, publish and manage images.

An image is a named project; each of its versions is built once and never
changes. Commands take the image from --image, else from `+projectFile+`
of the current directory, where `+"`fandogh image init`"+` saved it.`,
		`  fandogh image init --name shop
  fandogh image publish --version 1.0
  fandogh image versions --image shop`,
		newImageInitCommand(a), newImagePublishCommand(a), newImageLogsCommand(a), newImageListCommand(a),
		newImageSearchCommand(a), newImageVersionsCommand(a), newImageInspectCommand(a), newImageHistoryCommand(a),
		newImageDeleteCommand(a), newImageTransferCommand(a), newImageRebuildCommand(a), newImageCancelCommand(a), newImageDefaultBranchCommand(a), newImageSetCommand(a), newImageImportCommand(a))
}

// versionFlags name one version of an image, as most verbs need it.
type versionFlags struct {
	image   string
	version string
}

func (v *versionFlags) addImage(cmd *cobra.Command, a *app) {
	cmd.Flags().StringVarP(&v.image, "image", "i", "", "`name` of the image (default that of "+projectFile+")")
	complete(cmd, "image", a.completeImages)
}

func (v *versionFlags) addVersion(cmd *cobra.Command, a *app) {
	cmd.Flags().StringVarP(&v.version, "version", "v", "", "`version` of the image")
	complete(cmd, "version", a.completeVersions)
}

func (v *versionFlags) add(cmd *cobra.Command, a *app) {
	v.addImage(cmd, a)
	v.addVersion(cmd, a)
}

// fillImage finds the image's name, or asks for it.
func (v *versionFlags) fillImage(ctx context.Context, a *app) error {
	var err error
	if v.image, err = imageOr(v.image); err != nil {
		return err
	}
	v.image, err = a.given(ctx, v.image, "Image name", "--image")
	return err
}

// fill finds both names, or asks for them.
func (v *versionFlags) fill(ctx context.Context, a *app) error {
	err := v.fillImage(ctx, a)
	if err == nil {
		v.version, err = a.given(ctx, v.version, "Image version", "--version")
	}
	return err
}

// imageOr returns name, else the image of the current directory, if it has one.
func imageOr(name string) (string, error) {
	if name != "" {
		return name, nil
	}
	p, err := readProject(".")
	return p.image(), err
}
