package main

import (
	"bytes"
	"os"
	"slices"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/internal/language"
	"github.com/fandoghpaas/fandogh/internal/signature"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

// signers are those of whom one must have signed a tag.
type signers struct {
	ssh     map[string]bool // fingerprints
	openPGP []signature.OpenPGPKey
}

const beginKey, endKey = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"

// readSigners reads SSH keys in the form of authorized_keys, and armored OpenPGP keys. Nil: any may have signed.
func readSigners(file string) (*signers, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, usage.Error{Err: err}
	}
	s := &signers{ssh: map[string]bool{}}
	for {
		before, rest, found := bytes.Cut(text, []byte(beginKey))
		armored, after, ended := bytes.Cut(rest, []byte(endKey))
		if !found || !ended {
			break
		}
		key, err := signature.ParseOpenPGPKey(beginKey + string(armored) + endKey)
		if err != nil {
			return nil, usage.Errorf("--signers %s: %w", file, err)
		}
		s.openPGP = append(s.openPGP, key)
		text = slices.Concat(before, after)
	}
	for len(text) > 0 {
		var key gossh.PublicKey
		key, _, _, text, err = gossh.ParseAuthorizedKey(text)
		if err != nil {
			break
		}
		s.ssh[gossh.FingerprintSHA256(key)] = true
	}
	if len(s.ssh)+len(s.openPGP) == 0 {
		return nil, usage.Errorf("--signers %s contains no SSH or OpenPGP public key", file)
	}
	return s, nil
}

// tagSignature says by whom the object of a tag was signed.
func (v *verification) tagSignature(name string, content []byte) (string, error) {
	tag, err := signature.ParseTag(content)
	if err != nil {
		return "", err
	}
	kind := signature.KindOf(tag.Signature)
	if kind != "" && tag.Name != name {
		return "", language.Errorf("what was signed is tag %s", tag.Name)
	}
	switch kind {
	case signature.SSH:
		return v.sshSignature(tag)
	case signature.OpenPGP:
		return v.openPGPSignature(tag)
	}
	if v.signers != nil {
		return "", language.Errorf("it has no SSH or OpenPGP signature, which --signers requires")
	}
	if kind == "" {
		return v.app.Text("not signed"), nil
	}
	return v.app.Text("with an X.509 signature that is not verified here; git verify-tag does"), nil
}

func (v *verification) sshSignature(tag signature.Tag) (string, error) {
	key, err := signature.VerifySSH(tag.Text, tag.Signature)
	if err != nil {
		return "", err
	}
	by := gossh.FingerprintSHA256(signature.KeyOf(key))
	if v.signers != nil && !v.signers.ssh[by] {
		return "", language.Errorf("SSH key %s has signed it, which is not among --signers", by)
	}
	return v.app.Text("signed by SSH key %s", by), nil
}

// openPGPSignature needs the key, which an OpenPGP signature names and does not contain.
func (v *verification) openPGPSignature(tag signature.Tag) (string, error) {
	issuer, err := signature.Issuer(tag.Signature)
	if err != nil {
		return "", err
	}
	if v.signers == nil {
		return v.app.Text("with a signature of OpenPGP key %s that is not verified; name a file with that key by --signers", issuer), nil
	}
	err = language.Errorf("OpenPGP key %s has signed it, which is not among --signers", issuer)
	for _, key := range v.signers.openPGP {
		if !slices.Contains(key.KeyIDs, issuer) {
			continue
		}
		if err = key.Verify(tag.Text, tag.Signature, time.Now()); err == nil {
			return v.app.Text("signed by OpenPGP key %s", key.Fingerprint), nil
		}
	}
	return "", err
}
