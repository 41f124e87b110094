package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newImageSearchCommand(a *app) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "search TEXT",
		Short: "Search for images by name in all your namespaces",
		Long: `List the images whose name contains TEXT, ignoring case, in all the namespaces
you belong to, or with --namespace only in that one.`,
		Example: `  fandogh image search shop
  fandogh image search shop --output json`,
		Args: usage.ExactArgs("TEXT"),
		RunE: func(cmd *cobra.Command, args []string) error { return runImageSearch(cmd, a, args[0], out) },
	}
	out.addFlag(cmd)
	return cmd
}

func runImageSearch(cmd *cobra.Command, a *app, text string, out output) error {
	if err := out.check(); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	namespaces := []string{a.namespace}
	if a.namespace == "" {
		mine, err := c.Namespaces(cmd.Context())
		if err != nil {
			return err
		}
		namespaces = nil
		for _, n := range mine {
			namespaces = append(namespaces, n.Name)
		}
	}
	found := []api.Image{}
	for _, namespace := range namespaces {
		for image, err := range c.In(namespace).Images(cmd.Context()) {
			if err != nil {
				return err
			}
			if strings.Contains(strings.ToLower(image.Name), strings.ToLower(text)) {
				found = append(found, image)
			}
		}
	}
	if len(found) == 0 {
		a.say("No images match %q.", text)
	}
	return out.show(a, found, func(w *table) { imageTable(w, found) })
}
