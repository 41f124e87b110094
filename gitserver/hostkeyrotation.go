package gitserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	gossh "golang.org/x/crypto/ssh"

	"github.com/fandoghpaas/fandogh/internal/atomicfile"
)

// Host keys are changed in two steps, so that no client is warned of an attack. First the next keys lie beside those in use: a server
// that starts then proves both to its clients, and those of OpenSSH take the next into their known hosts, which have them when the
// next are put in the place of the old.

// nextSuffix is what the name of a next key's file has.
const nextSuffix = ".next"

// HostKey is a key of a server, public.
type HostKey struct {
	Kind        string // "ssh-ed25519"
	Fingerprint string // "SHA256:…"
	Next        bool   // it is proved to clients, and not used yet
}

// ErrNoNextKeys says that no next keys were made.
var ErrNoNextKeys = errors.New("there are no next SSH host keys")

// HostKeys lists the keys of a directory, those in use first.
func HostKeys(dir string) ([]HostKey, error) {
	var all []HostKey
	for _, suffix := range []string{"", nextSuffix} {
		keys, err := keysThere(dir, suffix)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			all = append(all, HostKey{Kind: k.PublicKey().Type(), Fingerprint: gossh.FingerprintSHA256(k.PublicKey()), Next: suffix != ""})
		}
	}
	return all, nil
}

// nextKeys reads the next keys; there may be none.
func nextKeys(dir string) ([]gossh.Signer, error) { return keysThere(dir, nextSuffix) }

func keysThere(dir, suffix string) (keys []gossh.Signer, err error) {
	for _, kind := range hostKeyKinds {
		key, err := readHostKey(filepath.Join(dir, kind.file+suffix))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// MakeNextHostKeys makes the next keys, where they are not there.
func MakeNextHostKeys(dir string) error {
	for _, kind := range hostKeyKinds {
		if err := makeHostKey(filepath.Join(dir, kind.file+nextSuffix), kind.generate); err != nil {
			return err
		}
	}
	return nil
}

// UseNextHostKeys puts the next keys in the place of those in use, which are gone then. It can be done again when it was cut short. Errors:
// ErrNoNextKeys.
func UseNextHostKeys(dir string) error {
	moved := false
	for _, kind := range hostKeyKinds {
		path := filepath.Join(dir, kind.file)
		err := os.Rename(path+nextSuffix, path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("use the next SSH host key: %w", err)
		}
		moved = true
	}
	if !moved {
		return ErrNoNextKeys
	}
	return atomicfile.SyncDir(dir)
}
