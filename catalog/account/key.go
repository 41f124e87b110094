package account

import (
	"bytes"
	"context"
	"crypto/rsa"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/signature"
)

const minRSABits = 2048

// AddKey gives a user a public key: of SSH, one line as in a .pub file, or of OpenPGP, armored. The name
// is the line's comment or the key's user ID when it is empty. Errors: Invalid, Conflict (the key
// belongs to a user already), NotFound (user).
func (s *Service) AddKey(ctx context.Context, userID int64, name, text string) (catalog.Key, error) {
	read := newSSHKey
	if strings.Contains(text, "-----BEGIN PGP ") {
		read = s.newOpenPGPKey
	}
	key, err := read(text)
	if err != nil {
		return catalog.Key{}, err
	}
	if name = strings.TrimSpace(name); name != "" {
		key.Name = name
	}
	if len(key.Name) > maxLabel {
		return catalog.Key{}, catalog.FieldErrorf("name", "a key's name must be at most %d bytes long", maxLabel)
	}
	key.UserID = userID
	return s.users.CreateKey(ctx, key)
}

func newSSHKey(line string) (catalog.NewKey, error) {
	key, comment, err := ParseKey(line)
	if err != nil {
		return catalog.NewKey{}, err
	}
	return catalog.NewKey{
		Kind:        catalog.KeySSH,
		Name:        comment,
		Fingerprint: ssh.FingerprintSHA256(key),
		PublicKey:   strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))),
	}, nil
}

// newOpenPGPKey refuses a key of which no signature would be taken.
func (s *Service) newOpenPGPKey(armored string) (catalog.NewKey, error) {
	key, err := signature.ParseOpenPGPKey(armored)
	if err == nil {
		err = key.Usable(s.now())
	}
	if err != nil {
		return catalog.NewKey{}, catalog.FieldErrorf("key", "%s", err)
	}
	return catalog.NewKey{
		Kind: catalog.KeyOpenPGP, Name: key.Name, Fingerprint: key.Fingerprint, PublicKey: strings.TrimSpace(armored), KeyIDs: key.KeyIDs,
	}, nil
}

// ParseKey reads one public key and its comment, and refuses those too weak to
// prove a user. Errors: Invalid.
func ParseKey(line string) (key ssh.PublicKey, comment string, err error) {
	if strings.Contains(line, "PRIVATE KEY-----") {
		return nil, "", catalog.FieldErrorf("key", "this is a private key: keep it secret, and use the file that ends in .pub")
	}
	key, comment, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
	switch {
	case err != nil:
		e := catalog.FieldErrorf("key", "this is not an SSH public key; give one line such as \"ssh-ed25519 AAAA… you@host\", as in a .pub file")
		e.Err = err
		return nil, "", e
	case len(options) > 0:
		return nil, "", catalog.FieldErrorf("key", "options before a key (%s) are not supported; leave them out", options[0])
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, "", catalog.FieldErrorf("key", "this is more than one key; add them one at a time")
	}
	return key, comment, checkStrength(key)
}

func checkStrength(key ssh.PublicKey) error {
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256:
		return nil
	case ssh.KeyAlgoRSA:
		public, ok := key.(ssh.CryptoPublicKey)
		if !ok {
			break
		}
		if n, ok := public.CryptoPublicKey().(*rsa.PublicKey); ok && n.N.BitLen() >= minRSABits {
			return nil
		}
		return catalog.FieldErrorf("key", "this RSA key is shorter than %d bits; create a new one with ssh-keygen -t ed25519", minRSABits)
	}
	if _, ok := key.(*ssh.Certificate); ok {
		return catalog.FieldErrorf("key", "this is a certificate, not a key; use the .pub file without -cert, or ask the server's administrator to trust its authority")
	}
	return catalog.FieldErrorf("key", "keys of type %s are not accepted; create one with ssh-keygen -t ed25519", key.Type())
}
