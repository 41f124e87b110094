package main

import (
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/client"
	"github.com/fandoghpaas/fandogh/internal/imagefile"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newImageImportCommand(a *app) *cobra.Command {
	var v versionFlags
	cmd := &cobra.Command{
		Use:   "import SOURCE",
		Short: "Store images of an archive in the registry",
		Long: `Store the images of an archive in the server's registry, where each becomes a
version that a Dockerfile can name after FROM: base images for a server without the
Internet, for one.

SOURCE is what docker save, podman save, skopeo copy, crane pull or docker buildx
build --output type=oci wrote: a file, also one compressed by gzip, zstd or bzip2; a
directory with an OCI layout; or - for standard input. Prefix it with oci:,
oci-archive: or docker-archive: if it must be one of those, and append :NAME:TAG or
:TAG to import one image of several.

An image is stored under the last part of its name, and its tag is the version;
--image and --version replace them. An index of several platforms is stored as it is,
without the platforms that the archive does not contain. What is damaged or incomplete
is refused before anything is sent.`,
		Example: `  fandogh image import golang.tar
  docker save golang:1.23 | fandogh image import -
  fandogh image import oci:layout --image golang --version 1.23`,
		Args: usage.ExactArgs("SOURCE"),
		RunE: func(cmd *cobra.Command, args []string) error { return runImageImport(cmd.Context(), a, args[0], v) },
	}
	v.addImage(cmd, a)
	cmd.Flags().Lookup("image").Usage = "`name` of the image (default that in the archive)"
	v.addVersion(cmd, a)
	cmd.Flags().Lookup("version").Usage = "`version` of the image (default the tag in the archive)"
	return cmd
}

func runImageImport(ctx context.Context, a *app, source string, v versionFlags) (err error) {
	c, err := a.client()
	if err != nil {
		return err
	}
	archive, err := imagefile.Open(source, a.in)
	if err != nil {
		return err
	}
	defer joinClose(&err, archive)
	if len(archive.Images) > 1 && v.version != "" {
		var names []string
		for _, image := range archive.Images {
			names = append(names, image.String())
		}
		return usage.Errorf("%s contains %d images, which can't all be version %s; import one of them, as in %s:%s; they are: %s",
			source, len(names), v.version, source, names[0], strings.Join(names, ", "))
	}
	for _, image := range archive.Images {
		if err := a.importImage(ctx, c, image, v); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) importImage(ctx context.Context, c *client.Client, image imagefile.Image, v versionFlags) error {
	var err error
	if v.image, err = a.given(ctx, cmp.Or(v.image, image.Name), "Image name", "--image"); err != nil {
		return err
	}
	if v.version, err = a.given(ctx, cmp.Or(v.version, image.Tag), "Image version", "--version"); err != nil {
		return err
	}
	if len(image.Missing) > 0 {
		a.say("%s is imported without %s, which its index lists and the archive does not contain.", image, strings.Join(image.Missing, ", "))
	}
	var total int64
	blobs := make([]client.Blob, len(image.Blobs))
	for i, b := range image.Blobs {
		blobs[i] = client.Blob{Digest: b.Digest.String(), Size: b.Size, Open: b.Open}
		total += b.Size
	}
	manifests := make([]client.Manifest, len(image.Manifests))
	for i, m := range image.Manifests {
		manifests[i] = client.Manifest{MediaType: m.MediaType, Digest: m.Digest.String(), Body: m.Body}
	}
	a.say("sending %s, %s, as %s:%s", image, a.bytes(total), v.image, v.version)
	counter, done := a.uploadProgress(total)
	err = c.PushImage(ctx, v.image, v.version, manifests, blobs, counter)
	done()
	if err != nil {
		return err
	}
	stored, err := c.Version(ctx, v.image, v.version)
	if err != nil {
		return err
	}
	a.print("Imported %s:%s for %s", stored.Image, stored.Version.Version, cmp.Or(strings.Join(image.Platforms, ", "), a.Text("no platform")))
	a.print("  digest   %s", stored.Digest)
	a.print("  use      FROM %s", stored.Reference)
	return nil
}
