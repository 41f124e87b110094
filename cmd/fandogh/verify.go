package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/client"
	"github.com/fandoghpaas/fandogh/internal/attestation"
	"github.com/fandoghpaas/fandogh/internal/language"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

type verifyOptions struct {
	image, version string
	key            string // file
	signers        string // file
	formerly       string // "namespace/name"
	rebuild        bool
}

func newVerifyCommand(a *app) *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify IMAGE VERSION",
		Short: "Verify that a version is what was built from its commit",
		Long: `Verify that a version is what was built from its commit: the tag names the commit,
which has the tree, which the provenance says the image was built from, whose
manifest the server's key has signed and whose layers the registry serves. Each link
is one line, and all of it is computed here from what the server sends. Only the
server is asked.

Without --key the server says itself which keys are its own, so that a server which
lies in everything can't be told. Keep the key that
` + "`fandoghd admin signing-key`" + ` prints, and name it. The file may contain several
keys, of which any may have signed.

A tag's SSH signature is verified. --signers requires a signature by a key of a file:
SSH keys in the form of authorized_keys, and OpenPGP keys as gpg --armor --export
writes them. An OpenPGP signature is verified by such a key alone.

What the server signed says by which name the image went then. Of a version from before
the image was transferred to another namespace, name that with --formerly.

--rebuild has the server build the version again, without caches and from the same
base images, and compares: the same digest, or which files and fields differ and what
made them. It takes as long as a build, and the right to push. Nothing of it is kept.

The command fails when a link does, and when a version was not built here.`,
		Example: `  fandogh verify shop 1.0
  fandogh verify shop 1.0 --key fandogh.pub --signers authorized_keys
  fandogh verify shop 1.0 --rebuild`,
		Args: usage.ExactArgs("IMAGE", "VERSION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.image, o.version = args[0], args[1]
			return runVerify(cmd.Context(), a, o)
		},
	}
	cmd.Flags().StringVar(&o.key, "key", "", "`file` with the server's public key (default what the server says)")
	cmd.Flags().BoolVar(&o.rebuild, "rebuild", false, "build the version again and compare")
	cmd.Flags().StringVar(&o.formerly, "formerly", "", "`namespace/name` by which the image went when the version was built")
	cmd.Flags().StringVar(&o.signers, "signers", "", "`file` with the SSH and OpenPGP keys of which one must have signed the tag")
	return cmd
}

var errNotVerified = language.Errorf("the version could not be verified")

func runVerify(ctx context.Context, a *app, o verifyOptions) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	v := verification{app: a, client: c, version: o.version, formerly: o.formerly}
	if v.signers, err = readSigners(o.signers); err != nil {
		return err
	}
	if v.keys, err = verifyKeys(ctx, a, c, o.key); err != nil {
		return err
	}
	if err := v.fetch(ctx, o.image); err != nil {
		return err
	}
	links := v.links()
	if o.rebuild {
		links = append(links, link{"rebuild", func(ctx context.Context) (string, error) { return v.checkRebuilt(ctx, a, o.image) }})
	}
	failed := false
	for _, link := range links {
		says, err := link.check(ctx)
		if lost := givesUp(err); lost {
			return err
		}
		if err != nil {
			failed = true
			fmt.Fprintln(a.out, a.paint(a.out, red, a.Text("FAILED")), language.Pad(a.Text(link.name), -10), plainLines(a.Error(err)))
			continue
		}
		fmt.Fprintln(a.out, a.paint(a.out, green, a.Text("ok    ")), language.Pad(a.Text(link.name), -10), plain(says))
	}
	if failed {
		return errNotVerified
	}
	return nil
}

// givesUp reports whether an error tells nothing of the version.
func givesUp(err error) bool {
	var lost *client.NetworkError
	return errors.As(err, &lost) || errors.Is(err, context.Canceled) || errors.Is(err, errLogin)
}

// verifyKeys returns the keys that may have signed.
func verifyKeys(ctx context.Context, a *app, c *client.Client, file string) ([]attestation.PublicKey, error) {
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, usage.Error{Err: err}
		}
		keys, err := attestation.ParsePublicKeys(text)
		if err != nil {
			return nil, usage.Errorf("--key %s: %w", file, err)
		}
		return keys, nil
	}
	known, err := c.SigningKeys(ctx)
	if err != nil {
		return nil, err
	}
	var keys []attestation.PublicKey
	for _, k := range known {
		parsed, err := attestation.ParsePublicKeys([]byte(k.PublicKey))
		if err != nil {
			return nil, language.Errorf("the server's signing key %s: %w", k.Fingerprint, err)
		}
		keys = append(keys, parsed...)
	}
	a.say("The server's key is taken from the server itself; pin it with --key FILE.")
	return keys, nil
}
