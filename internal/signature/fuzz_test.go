package signature

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

// Whatever a tag object is, it is cut in two, and what is not signed is not in the text.
func FuzzTag(f *testing.F) {
	r := "object 0123456789012345678901234567890123456789\ntype commit\ntag v1\ntagger a <a@b> 1 +0000\n\nx\n"
	f.Add([]byte(r + "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"))
	f.Add([]byte(r + "-----BEGIN PGP SIGNATURE-----\n\niHUEABYKAB0WIQ==\n=abcd\n-----END PGP SIGNATURE-----\n"))
	f.Add([]byte(strings.Replace(r, "tagger", "gpgsig-sha256 a\n b\ntagger", 1)))
	f.Fuzz(func(t *testing.T, object []byte) {
		tag, err := ParseTag(object)
		if !bytes.HasSuffix(object, tag.Signature) || len(tag.Text)+len(tag.Signature) > len(object) {
			t.Fatalf("%q is cut into %q and %q", object, tag.Text, tag.Signature)
		}
		if err == nil && !bytes.Contains(object, []byte("\ntag "+tag.Name+"\n")) {
			t.Fatalf("%q has the name %q", object, tag.Name)
		}
		for _, verify := range []func() error{
			func() error { _, err := VerifySSH(tag.Text, tag.Signature); return err },
			func() error { _, err := Issuer(tag.Signature); return err },
		} {
			if err := verify(); !isOurs(err) {
				t.Fatalf("%q: %v", object, err)
			}
		}
	})
}

// isOurs reports whether an error, if there is one, is safe to show.
func isOurs(err error) bool {
	var ours *Error
	return err == nil || errors.As(err, &ours)
}

// Whatever a key is, it is refused in words or good to ask.
func FuzzOpenPGPKey(f *testing.F) {
	f.Add("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEAAAAABYJKwYBBAHaRw8BAQdA\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n")
	f.Fuzz(func(t *testing.T, armored string) {
		key, err := ParseOpenPGPKey(armored)
		if err != nil {
			if !isOurs(err) {
				t.Fatal(err)
			}
			return
		}
		if err := key.Usable(time.Unix(1700000000, 0)); !isOurs(err) {
			t.Fatal(err)
		}
	})
}
