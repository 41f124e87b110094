package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

// onImage wraps the work of a verb whose first argument is NAMESPACE/IMAGE.
func (a *admin) onImage(work func(cmd *cobra.Command, image catalog.Image, args []string) error) func(*cobra.Command, []string) error {
	return a.verb(func(cmd *cobra.Command, args []string) error {
		ref, err := imageRef(args[0])
		if err != nil {
			return err
		}
		image, err := a.store.Image(cmd.Context(), ref)
		if err != nil {
			return err
		}
		return work(cmd, image, args[1:])
	})
}

// imageRef reads NAMESPACE/IMAGE.
func imageRef(arg string) (catalog.ImageRef, error) {
	namespace, name, _ := strings.Cut(arg, "/")
	ref := catalog.ImageRef{Namespace: namespace, Name: name}
	if err := ref.Validate(); err != nil {
		return ref, usage.Errorf("%q is not a valid NAMESPACE/IMAGE: %s", arg, catalog.MessageOf(err))
	}
	return ref, nil
}

func (a *admin) newImageList() *cobra.Command {
	cmd := &cobra.Command{Use: "list [NAMESPACE]", Short: "List the images of all namespaces, or of one"}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usage.ExactArgs("NAMESPACE")(cmd, args)
		}
		return nil
	}
	cmd.RunE = a.verb(func(cmd *cobra.Command, args []string) error {
		namespace := strings.Join(args, "")
		if namespace != "" {
			n, err := a.store.Namespace(cmd.Context(), namespace)
			if err != nil {
				return err
			}
			namespace = n.Name
		}
		rows := [][]string{{"IMAGE", "VERSIONS", "BYTES", "CREATED"}}
		err := catalog.EachImage(cmd.Context(), a.store, namespace, func(image catalog.Image) error {
			versions, bytes := 0, int64(0)
			err := catalog.EachVersion(cmd.Context(), a.store, image.ID, func(v catalog.Version) error {
				versions, bytes = versions+1, bytes+v.Size
				return nil
			})
			rows = append(rows, []string{image.Ref.String(), strconv.Itoa(versions), strconv.FormatInt(bytes, 10), image.CreatedAt.Format(time.RFC3339)})
			return err
		})
		if err != nil {
			return err
		}
		return table(cmd, rows...)
	})
	return cmd
}

func (a *admin) newImageVersions() *cobra.Command {
	return &cobra.Command{Use: "versions NAMESPACE/IMAGE", Short: "List the versions of an image, newest first", Args: usage.ExactArgs("NAMESPACE/IMAGE"),
		RunE: a.onImage(func(cmd *cobra.Command, image catalog.Image, _ []string) error {
			rows := [][]string{{"VERSION", "STATE", "BYTES", "CREATED", "DIGEST"}}
			err := catalog.EachVersion(cmd.Context(), a.store, image.ID, func(v catalog.Version) error {
				rows = append(rows, []string{v.Name, string(v.State), strconv.FormatInt(v.Size, 10), v.CreatedAt.Format(time.RFC3339), v.Digest})
				return nil
			})
			if err != nil {
				return err
			}
			return table(cmd, rows...)
		})}
}

func (a *admin) newImageDelete() *cobra.Command {
	var version string
	cmd := &cobra.Command{
		Use: "delete NAMESPACE/IMAGE", Short: "Delete an image with all its versions and its repository, or one version",
		Long: "Delete an image with all its versions, builds, logs and its git repository, or with --version one version alone. Files are removed by the daemon:\n" +
			"at once, or when it starts. The name of a built version stays taken. What is being built can't be deleted.",
		Args: usage.ExactArgs("NAMESPACE/IMAGE"),
	}
	cmd.RunE = a.onImage(func(cmd *cobra.Command, image catalog.Image, _ []string) error {
		if cmd.Flags().Changed("version") {
			return a.deleteVersion(cmd, image, version)
		}
		return a.deleteImage(cmd, image)
	})
	cmd.Flags().StringVar(&version, "version", "", "delete only this `version`")
	return cmd
}

func (a *admin) deleteImage(cmd *cobra.Command, image catalog.Image) error {
	name := image.Ref.String()
	if err := a.store.DeleteImage(cmd.Context(), image.ID); err != nil {
		return err
	}
	return a.did(cmd, "image deleted", "image", name)
}

func (a *admin) deleteVersion(cmd *cobra.Command, image catalog.Image, version string) error {
	name := image.Ref.String()
	v, err := a.store.Version(cmd.Context(), image.ID, version)
	if err != nil {
		return err
	}
	if err := a.store.DeleteVersion(cmd.Context(), v.ID, ""); err != nil {
		return err
	}
	return a.did(cmd, "version deleted", "image", name, "version", v.Name)
}
