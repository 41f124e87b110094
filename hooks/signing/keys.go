package signing

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/atomicfile"
	"github.com/fandoghpaas/fandogh/internal/attestation"
)

// Keys are the installation's signing keys: a file with the private one that is in use, and a file with all public ones that
// signatures may be of, that in use first. Files are read each time, so that a rotation takes effect at once.
type Keys struct {
	// Private is the file with the key in use.
	Private string
	// Public is the file with the public keys.
	Public string
	// Given says that Private is the operator's, and is never made.
	Given bool
}

var _ catalog.SigningKeys = Keys{}

// Current returns the key in use, which it makes when there is none, and sees to it that its public one is known.
func (k Keys) Current() (attestation.PrivateKey, error) {
	text, err := os.ReadFile(k.Private)
	if errors.Is(err, fs.ErrNotExist) && !k.Given {
		if text, err = attestation.NewKey(); err == nil {
			err = atomicfile.Create(k.Private, text, 0o600)
		}
		if errors.Is(err, fs.ErrExist) { // another process was faster
			text, err = os.ReadFile(k.Private)
		}
	}
	if err != nil {
		return attestation.PrivateKey{}, fmt.Errorf("the signing key: %w", err)
	}
	key, err := attestation.ParsePrivateKey(text)
	if err != nil {
		return key, fmt.Errorf("the signing key %s: %w", k.Private, err)
	}
	return key, k.use(key.Public())
}

// use makes a public key the first of those that are known.
func (k Keys) use(key attestation.PublicKey) error {
	known, err := k.read()
	if err != nil || len(known) > 0 && known[0].Fingerprint == key.Fingerprint {
		return err
	}
	known = slices.DeleteFunc(known, func(other attestation.PublicKey) bool { return other.Fingerprint == key.Fingerprint })
	return k.write(slices.Insert(known, 0, key))
}

func (k Keys) read() ([]attestation.PublicKey, error) {
	text, err := os.ReadFile(k.Public)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	known, err := attestation.ParsePublicKeys(text)
	if err != nil {
		return nil, fmt.Errorf("%s: each key in it: %w", k.Public, err)
	}
	return known, nil
}

func (k Keys) write(known []attestation.PublicKey) error {
	var text strings.Builder
	for _, key := range known {
		text.WriteString(key.PEM())
	}
	return atomicfile.Replace(k.Public, []byte(text.String()), 0o644)
}

// Known returns the public keys, that in use first. Where the key in use is not to be read, as by another process
// than the daemon, it is that which was last used.
func (k Keys) Known() ([]attestation.PublicKey, error) {
	known, err := k.read()
	if err == nil && len(known) == 0 {
		err = catalog.Errorf(catalog.NotFound, "there is no signing key yet; fandoghd makes one when it starts")
	}
	return known, err
}

// ListSigningKeys implements catalog.SigningKeys.
func (k Keys) ListSigningKeys() ([]catalog.InstallationKey, error) {
	if _, err := k.Current(); err != nil {
		return nil, err
	}
	known, err := k.Known()
	if err != nil {
		return nil, err
	}
	shown := make([]catalog.InstallationKey, len(known))
	for i, key := range known {
		shown[i] = catalog.InstallationKey{Fingerprint: key.Fingerprint, PEM: key.PEM()}
	}
	return shown, nil
}

// Rotate makes another key the one in use. Signatures by that before stay good. Errors: Conflict (the key is the operator's).
func (k Keys) Rotate() (attestation.PublicKey, error) {
	if _, err := os.Stat(k.Private); errors.Is(err, fs.ErrNotExist) {
		return attestation.PublicKey{}, catalog.Errorf(catalog.Conflict, "there is no %s: the signing key is given by the setting signing.key; replace that file, which takes effect at once", k.Private)
	}
	text, err := attestation.NewKey()
	if err != nil {
		return attestation.PublicKey{}, err
	}
	key, err := attestation.ParsePrivateKey(text)
	if err != nil {
		return attestation.PublicKey{}, err
	}
	// Known before anything is signed with it.
	return key.Public(), errors.Join(k.use(key.Public()), atomicfile.Replace(k.Private, text, 0o600))
}

// Forget makes a key no longer known: what it has signed does not pass any more. Errors: NotFound, Conflict (it is in use).
func (k Keys) Forget(fingerprint string) error {
	known, err := k.Known()
	if err != nil {
		return err
	}
	at := slices.IndexFunc(known, func(key attestation.PublicKey) bool { return key.Fingerprint == fingerprint })
	switch at {
	case -1:
		return catalog.Errorf(catalog.NotFound, "signing key %q does not exist; `fandoghd admin signing-key list` shows those there are", fingerprint)
	case 0:
		return catalog.Errorf(catalog.Conflict, "signing key %s is in use; rotate it first", fingerprint)
	}
	return k.write(slices.Delete(known, at, at+1))
}
