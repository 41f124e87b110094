package main

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newSBOMCommand(a *app) *cobra.Command {
	var platform string
	cmd := &cobra.Command{
		Use:   "sbom IMAGE VERSION",
		Short: "Print the packages in a version's image",
		Long: `Print the packages in a version's image as a document of SPDX 2.3 in JSON: those of the
system (deb, apk, rpm, pacman), and what Go, Rust, Java, JavaScript, Python, Ruby,
PHP and .NET have installed or linked into programs.

The server makes the document when it is first asked for, which takes as long as
reading the image, signs it and attaches it to the image, where
` + "`cosign verify-attestation --type spdxjson`" + ` finds it.`,
		Example: `  fandogh sbom shop 1.0 > shop.spdx.json
  fandogh sbom shop 1.0 --platform linux/arm64`,
		Args: usage.ExactArgs("IMAGE", "VERSION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runSBOM(cmd.Context(), a, args[0], args[1], platform)
		},
	}
	cmd.Flags().StringVar(&platform, "platform", "", "which of several `platforms`, such as linux/amd64")
	return cmd
}

func runSBOM(ctx context.Context, a *app, image, version, platform string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	text, err := c.SBOM(ctx, image, version, platform)
	if err != nil {
		return err
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, text, "", "  "); err != nil {
		return err
	}
	pretty.WriteByte('\n')
	_, err = pretty.WriteTo(a.out)
	return err
}
